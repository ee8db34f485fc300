"""Rendezvous hashing with bounded load."""

from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_router.affinity import Affinity, Keyed, Lost, Pinned, Reason
from lingma_router.placement import (
    Account,
    Bound,
    Fleet,
    HolderNotReady,
    NoneReady,
    Placed,
    Placement,
    StateLost,
    place,
    ranking,
)
from tests.lingma_router.support import STEADY


def accounts(*names: str) -> dict[str, Account]:
    return {name: Account(name, "ns", name, "10.0.0.1:8317") for name in names}


def first(_: int) -> int:
    return 0


def placed(wishes: Iterable[Affinity], fleet: Fleet) -> Placement:
    return place(iter(wishes), fleet, first)


def home(key: str, fleet: dict[str, Account]) -> str:
    result = placed([Keyed(Reason.SESSION, key.encode())], Fleet(fleet, {}))
    assert isinstance(result, Placed)
    return result.account.uid


KEYS = [f"conversation-{number}" for number in range(2000)]


def test_a_key_has_one_home_wherever_the_accounts_stand() -> None:
    forward, backward = accounts("a", "b", "c"), accounts("c", "b", "a")
    assert [home(key, forward) for key in KEYS] == [home(key, backward) for key in KEYS]


@STEADY
@given(st.integers(2, 12))
def test_keys_spread_evenly(count: int) -> None:
    fleet = accounts(*(f"account-{number}" for number in range(count)))
    share = Counter(home(key, fleet) for key in KEYS)
    assert min(share.values()) > 0.7 * len(KEYS) / count
    assert max(share.values()) < 1.3 * len(KEYS) / count


@STEADY
@given(st.integers(2, 12), st.data())
def test_removing_an_account_moves_only_its_own_keys(count: int, data: st.DataObject) -> None:
    names = [f"account-{number}" for number in range(count)]
    lost = data.draw(st.sampled_from(names))
    before, after = accounts(*names), accounts(*(name for name in names if name != lost))
    for key in KEYS[:300]:
        assert home(key, before) in (lost, home(key, after))


@STEADY
@given(st.integers(1, 12))
def test_adding_an_account_moves_its_share_and_only_to_it(count: int) -> None:
    names = [f"account-{number}" for number in range(count)]
    before, after = accounts(*names), accounts(*names, "newcomer")
    moved = [home(key, after) for key in KEYS if home(key, before) != home(key, after)]
    assert set(moved) == {"newcomer"}
    assert 0.7 < len(moved) / (len(KEYS) / (count + 1)) < 1.3


@STEADY
@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 40), min_size=1),
    st.text(),
    st.integers(0, 5),
    st.floats(1, 3),
    st.booleans(),
)
def test_no_soft_request_goes_above_the_bound(
    loads: dict[str, int], key: str, slack: int, factor: float, pinned: bool
) -> None:
    fleet = Fleet(accounts(*loads), loads, Bound(factor, slack))
    wish = Pinned(Reason.TOKEN, min(loads), hard=False) if pinned else Keyed(Reason.SESSION, key.encode())
    result = placed([wish], fleet)
    assert isinstance(result, Placed)
    assert loads[result.account.uid] + 1 <= fleet.bound.of(sum(loads.values()), len(loads))


def test_a_busy_home_spills_to_the_next_in_rank_and_keeps_its_key() -> None:
    fleet = accounts("a", "b", "c")
    best, second, _ = ranking(b"k", fleet.values())
    spilled = placed([Keyed(Reason.SESSION, b"k")], Fleet(fleet, {best.uid: 20}))
    assert spilled == Placed(second, Reason.SESSION, spilled=True)
    assert placed([Keyed(Reason.SESSION, b"k")], Fleet(fleet, {})) == Placed(best, Reason.SESSION)


def test_a_busy_pinned_account_spills_softly() -> None:
    result = placed([Pinned(Reason.TOKEN, "a", hard=False)], Fleet(accounts("a", "b"), {"a": 50}))
    assert result == Placed(accounts("b")["b"], Reason.TOKEN, spilled=True)


def test_a_busy_holder_of_state_still_gets_its_own() -> None:
    result = placed([Pinned(Reason.ID, "a", hard=True)], Fleet(accounts("a", "b"), {"a": 50}))
    assert result == Placed(accounts("a")["a"], Reason.ID, hard=True)


def test_the_only_account_never_spills() -> None:
    assert placed([Keyed(Reason.SESSION, b"k")], Fleet(accounts("a"), {"a": 999})) == Placed(
        accounts("a")["a"], Reason.SESSION
    )


def test_a_soft_account_that_is_gone_gives_way_to_the_next_wish() -> None:
    wishes: list[Affinity] = [Pinned(Reason.TOKEN, "gone", hard=False), Keyed(Reason.SESSION, b"k")]
    result = placed(wishes, Fleet(accounts("a"), {}))
    assert result == Placed(accounts("a")["a"], Reason.SESSION)


def test_a_hard_account_that_is_not_ready_is_not_replaced() -> None:
    wishes: list[Affinity] = [Pinned(Reason.ID, "b", hard=True), Keyed(Reason.SESSION, b"k")]
    assert placed(wishes, Fleet(accounts("a"), {})) == HolderNotReady("b")


def test_lost_state_is_lost_whoever_is_ready() -> None:
    assert placed([Lost("p", "v")], Fleet(accounts("a"), {})) == StateLost(Lost("p", "v"))


@pytest.mark.parametrize("wishes", [[], [Keyed(Reason.PROMPT, b"k")], [Pinned(Reason.TOKEN, "a", hard=False)]])
def test_without_a_ready_account_nothing_is_placed(wishes: list[Affinity]) -> None:
    assert placed(wishes, Fleet({}, {})) == NoneReady()


def test_a_request_without_any_wish_goes_where_least_is_in_flight() -> None:
    fleet = accounts("a", "b", "c")
    assert placed([], Fleet(fleet, {"a": 2, "b": 1, "c": 1})) == Placed(fleet["b"], Reason.NONE)
    assert place([], Fleet(fleet, {"a": 1}), lambda count: count - 1) == Placed(fleet["c"], Reason.NONE)


def test_an_account_left_out_gets_nothing() -> None:
    fleet = Fleet(accounts("a", "b"), {})
    assert all(
        placed([Keyed(Reason.SESSION, key.encode())], fleet.without({"a"})) == Placed(fleet.ready["b"], Reason.SESSION)
        for key in KEYS[:50]
    )
