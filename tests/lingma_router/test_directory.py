"""Objects in, snapshot out."""

from typing import Any

import pytest

from lingma_contract import ids
from lingma_router.directory import Directory, Resource, State
from tests.lingma_router.support import account_object, slice_object

ALICE = account_object("alice")


def directory(*slices: dict[str, Any], accounts: tuple[dict[str, Any], ...] = (ALICE,)) -> Directory:
    made = Directory()
    made.replace(Resource.ACCOUNTS, None, accounts)
    made.replace(Resource.SLICES, None, slices)
    return made


def states(made: Directory) -> dict[str, State]:
    return {listed.account.name: listed.state for listed in made.snapshot.accounts.values()}


def addresses(made: Directory) -> dict[str, str | None]:
    return {account.name: account.address for account in made.snapshot.ready.values()}


def test_an_account_whose_endpoint_serves_is_ready() -> None:
    made = directory(slice_object("alice", "10.1.2.3"))
    assert addresses(made) == {"alice": "10.1.2.3:8317"}
    assert made.snapshot.by_hash == {ids.account_hash("uid-alice"): "uid-alice"}


@pytest.mark.parametrize(
    "conditions",
    [
        {"ready": True, "serving": False, "terminating": False},
        {"ready": True, "serving": True, "terminating": True},
        {"ready": True},
        None,
    ],
)
def test_ready_alone_means_nothing_where_unready_addresses_are_published(conditions: Any) -> None:
    made = directory(slice_object("alice", "10.1.2.3", conditions=conditions))
    assert states(made) == {"alice": State.NOT_READY}
    assert made.snapshot.ready == {}


def test_a_suspended_account_takes_nothing_though_its_pod_still_serves() -> None:
    made = directory(slice_object("alice", "10.1.2.3"), accounts=(account_object("alice", suspend=True),))
    assert states(made) == {"alice": State.SUSPENDED}


def test_an_account_being_deleted_takes_nothing() -> None:
    deleting = account_object("alice")
    deleting["metadata"]["deletionTimestamp"] = "2026-11-21T00:00:00Z"
    assert states(directory(slice_object("alice", "10.1.2.3"), accounts=(deleting,))) == {"alice": State.DELETING}


def test_a_slice_without_its_account_is_nobody() -> None:
    assert directory(slice_object("bob", "10.1.2.3")).snapshot.ready == {}


def test_a_slice_of_another_namespace_is_not_the_accounts() -> None:
    assert directory(slice_object("alice", "10.1.2.3", namespace="other")).snapshot.ready == {}


def test_the_label_on_a_service_of_someone_else_draws_no_traffic() -> None:
    assert directory(slice_object("alice", "10.6.6.6", service="decoy")).snapshot.ready == {}


def test_a_slice_that_loses_its_label_is_dropped() -> None:
    made = directory(slice_object("alice", "10.1.2.3"))
    bare = slice_object("alice", "10.1.2.3")
    bare["metadata"]["labels"] = None
    made.put(Resource.SLICES, bare)
    assert made.snapshot.ready == {}


def test_an_ipv6_address_stands_in_brackets() -> None:
    item = slice_object("alice", "fd00::7") | {"addressType": "IPv6"}
    assert addresses(directory(item)) == {"alice": "[fd00::7]:8317"}


def test_of_several_slices_the_one_that_serves_counts() -> None:
    old = slice_object("alice", "10.0.0.1", conditions={"serving": True, "terminating": True}, suffix="old")
    assert addresses(directory(old, slice_object("alice", "10.0.0.2", suffix="new"))) == {"alice": "10.0.0.2:8317"}


def test_an_event_shows_in_the_next_snapshot_and_not_in_the_last() -> None:
    made = directory()
    before = made.snapshot
    made.put(Resource.SLICES, slice_object("alice", "10.1.2.3"))
    assert before.ready == {}
    assert addresses(made) == {"alice": "10.1.2.3:8317"}
    made.remove(Resource.SLICES, slice_object("alice", "10.1.2.3"))
    assert made.snapshot.ready == {}


def test_a_deleted_account_is_unknown_at_once() -> None:
    made = directory(slice_object("alice", "10.1.2.3"))
    made.remove(Resource.ACCOUNTS, ALICE)
    made.remove(Resource.ACCOUNTS, ALICE)
    assert made.snapshot.accounts == {}


def test_an_account_made_anew_under_its_name_is_another_one() -> None:
    made = directory(slice_object("alice", "10.1.2.3"))
    made.put(Resource.ACCOUNTS, account_object("alice", uid="uid-second"))
    assert list(made.snapshot.ready) == ["uid-second"]


def test_a_list_drops_ghosts_of_its_namespace_only() -> None:
    made = directory(accounts=(ALICE, account_object("bob"), account_object("carol", namespace="other")))
    made.replace(Resource.ACCOUNTS, "team", [account_object("bob")])
    assert set(states(made)) == {"bob", "carol"}


def test_an_account_without_a_uid_is_left_out() -> None:
    made = directory(accounts=(account_object("alice", uid=""), {"metadata": None}))
    assert made.snapshot.accounts == {}


@pytest.mark.parametrize("endpoints", [None, "x", ["x"], [{"conditions": {"serving": True}, "addresses": [7]}]])
def test_malformed_endpoints_are_no_endpoints(endpoints: Any) -> None:
    item = slice_object("alice", "10.1.2.3") | {"endpoints": endpoints}
    assert states(directory(item)) == {"alice": State.NOT_READY}


def test_each_kind_is_asked_for_as_the_api_names_it() -> None:
    assert Resource.ACCOUNTS.group_version == "lingma.dev/v1alpha1"
    assert Resource.ACCOUNTS.label_selector is None
    assert Resource.SLICES.group_version == "discovery.k8s.io/v1"
    assert Resource.SLICES.label_selector == "lingma.dev/account"


def test_an_account_that_does_not_serve_yet_has_an_address_for_what_needs_no_login() -> None:
    idle = {"ready": True, "serving": False, "terminating": False}
    made = directory(slice_object("alice", "10.1.2.3", conditions=idle))
    assert {account.name: account.address for account in made.snapshot.waking.values()} == {"alice": "10.1.2.3:8317"}
    assert made.snapshot.ready == {}


@pytest.mark.parametrize(
    "conditions", [{"serving": False, "terminating": True}, {"serving": True, "terminating": False}]
)
def test_an_account_that_ends_or_serves_is_not_waking(conditions: Any) -> None:
    assert directory(slice_object("alice", "10.1.2.3", conditions=conditions)).snapshot.waking == {}


def test_a_suspended_account_is_not_waking() -> None:
    idle = slice_object("alice", "10.1.2.3", conditions={"serving": False})
    assert directory(idle, accounts=(account_object("alice", suspend=True),)).snapshot.waking == {}
