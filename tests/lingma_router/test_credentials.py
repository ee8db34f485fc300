"""Credentials derived from the master secrets, and the counters beside them."""

import pytest

from lingma_contract import derivation, ids
from lingma_contract.ids import Kind
from lingma_contract.names import Credential
from lingma_router.credentials import Credentials
from lingma_router.loads import Cooldown, Loads

OLD, NEW = b"o" * 32, b"n" * 32
BY_HASH = {ids.account_hash("uid"): "uid"}


def test_the_current_masters_token_comes_first() -> None:
    tokens = Credentials((NEW, OLD)).of("uid").router_tokens
    assert tokens == tuple(derivation.derive(master, Credential.ROUTER_TOKEN, "uid") for master in (NEW, OLD))


def test_ids_of_the_previous_master_are_still_ours() -> None:
    token = Credentials((OLD,)).mint_token("uid", "team")
    assert Credentials((NEW, OLD)).resolve(token, BY_HASH, "team") == (Kind.AFFINITY, "uid")
    assert Credentials((NEW,)).resolve(token, BY_HASH, "team") is None


@pytest.mark.parametrize("value", ["", "aff_short", "nothing"])
def test_what_is_no_id_is_nobodys(value: str) -> None:
    assert Credentials((NEW,)).resolve(value, BY_HASH, "team") is None


def test_an_account_that_does_not_exist_signs_nothing() -> None:
    credentials = Credentials((NEW,))
    assert credentials.resolve(credentials.mint_token("gone", "team"), BY_HASH, "team") is None


def test_secrets_do_not_show_when_printed() -> None:
    credentials = Credentials((NEW,))
    shown = repr(credentials) + repr(credentials.of("uid"))
    assert credentials.of("uid").router_tokens[0] not in shown
    assert "nnnn" not in shown


def test_a_load_is_given_back_on_every_exit() -> None:
    loads = Loads()
    with loads.hold("a"), pytest.raises(KeyError), loads.hold("a"), loads.hold("b"):
        assert loads.counts == {"a": 2, "b": 1}
        raise KeyError
    assert loads.counts == {}


def test_an_endpoint_rests_for_its_time_and_no_longer() -> None:
    now = 0.0
    cooldown = Cooldown(5, lambda: now)
    assert cooldown.resting() == frozenset()
    cooldown.rest("10.0.0.1:8317")
    now = 4.9
    assert cooldown.resting() == {"10.0.0.1:8317"}
    now = 5.0
    assert cooldown.resting() == frozenset()
