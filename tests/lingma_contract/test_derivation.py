import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_contract import derivation
from lingma_contract.names import Credential, MasterKey

MASTER = b"m" * 32
OLD = b"o" * 32


@given(st.binary(min_size=32, max_size=64), st.sampled_from(Credential), st.text(max_size=64))
def test_a_credential_is_43_characters_that_fit_any_header_and_always_the_same(
    master: bytes, purpose: Credential, uid: str
) -> None:
    value = derivation.derive(master, purpose, uid)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", value)
    assert value == derivation.derive(master, purpose, uid)


def test_each_purpose_and_each_account_and_each_master_has_values_of_its_own() -> None:
    values = [
        derivation.derive(master, purpose, uid)
        for master in (MASTER, OLD)
        for purpose in Credential
        for uid in ("uid-1", "uid-2")
    ]
    assert len(set(values)) == len(values)


def test_the_current_master_comes_before_the_previous_one() -> None:
    files = {MasterKey.PREVIOUS.value: OLD, MasterKey.CURRENT.value: MASTER + b"\n"}
    assert derivation.masters(files) == (MASTER, OLD)


@pytest.mark.parametrize("previous", [{}, {"previous": b""}, {"previous": b" \n"}])
def test_a_previous_master_is_optional(previous: dict[str, bytes]) -> None:
    assert derivation.masters({"current": MASTER, **previous}) == (MASTER,)


@pytest.mark.parametrize("files", [{}, {"current": b" \n"}, {"previous": OLD}])
def test_a_missing_master_is_named(files: dict[str, bytes]) -> None:
    with pytest.raises(ValueError, match="no key 'current'"):
        derivation.masters(files)


@pytest.mark.parametrize("files", [{"current": b"short"}, {"current": MASTER, "previous": b"short"}])
def test_a_short_master_is_refused_without_being_shown(files: dict[str, bytes]) -> None:
    with pytest.raises(ValueError, match="shorter than 32 bytes") as caught:
        derivation.masters(files)
    assert "short'" not in str(caught.value)


def test_the_lines_of_a_credential_read_back_in_order() -> None:
    lines = derivation.credential_lines([MASTER, OLD], Credential.ROUTER_TOKEN, "uid")
    assert derivation.read_lines(lines) == (
        derivation.derive(MASTER, Credential.ROUTER_TOKEN, "uid"),
        derivation.derive(OLD, Credential.ROUTER_TOKEN, "uid"),
    )


def test_blank_lines_hold_no_credential() -> None:
    assert derivation.read_lines("\n one \r\n\n\ttwo\n") == ("one", "two")
    assert derivation.read_lines("") == ()
