from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_contract.health import LoginReason
from lingma_gateway.lingma import login

REASONS = {
    1: LoginReason.NO_SESSION,
    2: LoginReason.LOGGED_IN,
    3: LoginReason.SESSION_EXPIRED,
    4: LoginReason.LOGIN_ERROR,
    5: LoginReason.NETWORK_ERROR,
    6: LoginReason.IP_BANNED,
    7: LoginReason.APP_DISABLED,
}
WHITELISTS = {
    1: LoginReason.NOT_LICENSED,
    2: LoginReason.AWAITING_APPROVAL,
    3: LoginReason.LOGGED_IN,
    4: LoginReason.LOGGED_IN,
    5: LoginReason.NOT_LICENSED,
}


@pytest.mark.parametrize("status", REASONS)
@pytest.mark.parametrize("whitelist", [{}, {"whitelist": 3}])
def test_each_status_has_its_reason(status: int, whitelist: dict[str, int]) -> None:
    found = login.interpret({"status": status, **whitelist})
    assert found.reason is REASONS[status]
    assert found.logged_in == (status == 2)
    assert found.message


@pytest.mark.parametrize("whitelist", WHITELISTS)
def test_a_login_counts_unless_the_whitelist_forbids_it(whitelist: int) -> None:
    found = login.interpret({"status": 2, "whitelist": whitelist})
    assert found.reason is WHITELISTS[whitelist]
    assert login.interpret({"status": 1, "whitelist": whitelist}).reason is LoginReason.NO_SESSION


@pytest.mark.parametrize("status", [0, 8, None, "2", [], {}])
def test_an_unknown_status_is_a_login_error_that_shows_it(status: Any) -> None:
    found = login.interpret({"status": status})
    assert found.reason is LoginReason.LOGIN_ERROR
    assert repr(status) in found.message


def test_no_status_at_all_is_a_login_error() -> None:
    assert login.interpret({}).reason is LoginReason.LOGIN_ERROR


@pytest.mark.parametrize("whitelist", [None, "1", [], {}, 99])
def test_an_unknown_whitelist_forbids_nothing(whitelist: Any) -> None:
    assert login.interpret({"status": 2, "whitelist": whitelist}).logged_in


@given(st.integers(), st.integers())
def test_tokens_of_the_status_are_never_repeated(status: int, whitelist: int) -> None:
    found = login.interpret(
        {"status": status, "whitelist": whitelist, "token": "pt-secret", "refreshToken": "rt-secret"}
    )
    assert "secret" not in found.message


def test_nothing_is_known_before_the_connection() -> None:
    assert not login.NOT_CONNECTED.logged_in
