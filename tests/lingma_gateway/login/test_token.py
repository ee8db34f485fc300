from typing import Any

import pytest

from lingma_gateway.login import token
from lingma_gateway.login.credentials import NO_CREDENTIALS, Credentials
from lingma_gateway.login.expiry import RefreshPolicy, is_due
from lingma_gateway.login.plan import Failed, Rejected, Way
from lingma_gateway.login.state import Tokens, is_logged_in

FULL = Credentials("alice", "s-password", "s-token", "s-ak", "s-sk")
NOW = 1_800_000_000.0
TOKENS = Tokens("s-oauth", "s-refresh", int((NOW + 3600) * 1000))
POLICY = RefreshPolicy(enabled=True, before_s=86400)


def test_each_way_sends_its_own_fields() -> None:
    assert token.login_params(Way.PERSONAL_TOKEN, FULL) == {"loginType": "personal_token", "personalToken": "s-token"}
    assert token.login_params(Way.ACCESS_KEY, FULL) == {
        "loginType": "ak_sk",
        "accessKey": "s-ak",
        "secretKey": "s-sk",
    }
    assert token.login_params(Way.PERSONAL_TOKEN, FULL, "o1")["orgId"] == "o1"
    assert token.login_params(Way.ACCESS_KEY, FULL, "o1")["orgId"] == "o1"
    with pytest.raises(ValueError, match="browser"):
        token.login_params(Way.BROWSER, FULL)


@pytest.mark.parametrize("way", Way)
def test_a_way_needs_all_its_parts(way: Way) -> None:
    assert FULL.of(way)
    assert NO_CREDENTIALS.of(way) is None
    assert Credentials(username="alice", access_key="a").of(way) is None


def test_nothing_secret_is_printed() -> None:
    printed = f"{FULL!r} {FULL} {TOKENS!r}"
    assert "s-" not in printed
    assert "alice" not in printed


@pytest.mark.parametrize(
    ("result", "refusal"),
    [
        ({"success": True, "url": ""}, None),
        ({"success": False}, Rejected("Lingma refused auth/login", certain=False)),
        ({"errorCode": 401}, Rejected("Lingma refused auth/login (401)", certain=False)),
        ({"errorCode": "echo s-token"}, Rejected("Lingma refused auth/login", certain=False)),
        ({"errorCode": "", "errorMsg": "s-token"}, Rejected("Lingma refused auth/login", certain=False)),
        (None, Failed("Lingma's answer to auth/login is no object")),
    ],
)
def test_answers_to_auth_login(result: Any, refusal: Any) -> None:
    assert token.refusal(result) == refusal


@pytest.mark.parametrize(
    ("result", "url"),
    [
        ("https://a/", "https://a/"),
        ({"loginUrl": "http://a/"}, "http://a/"),
        ({"url": "https://b/"}, "https://b/"),
        ({"login_url": "https://c/"}, "https://c/"),
        ({"loginUrl": "", "url": "file:///etc/passwd"}, None),
        ({"loginUrl": 3}, None),
        ("", None),
        (None, None),
    ],
)
def test_the_login_url_in_the_forms_that_were_seen(result: Any, url: str | None) -> None:
    assert token.login_url(result) == url


@pytest.mark.parametrize(
    ("result", "differs"),
    [
        ({"endpoint": "https://d/"}, False),
        ({"endpoint": "https://d"}, False),
        ({"endpoint": ""}, True),
        ({}, True),
        (None, True),
    ],
)
def test_the_endpoint_is_compared_before_it_is_changed(result: Any, differs: bool) -> None:
    assert token.endpoint_differs(result, "https://d") is differs


def test_a_refresh_sends_what_auth_status_told() -> None:
    assert token.refresh_params(TOKENS) == {
        "securityOauthToken": "s-oauth",
        "refreshToken": "s-refresh",
        "tokenExpireTime": TOKENS.expires_ms,
    }
    assert token.refresh_refusal({"success": True}) is None
    assert token.refresh_refusal({"success": False, "errorCode": "X1"}) == "refused (X1)"
    assert token.refresh_refusal([]) == "the answer is no object"


@pytest.mark.parametrize(
    ("changes", "known"),
    [
        ({}, True),
        ({"expireTime": "1800003600000"}, True),
        ({"expireTime": "soon"}, False),
        ({"expireTime": True}, False),
        ({"expireTime": 0}, False),
        ({"token": ""}, False),
        ({"refreshToken": None}, False),
        ({"refreshToken": 3}, False),
    ],
)
def test_tokens_are_known_when_all_three_are_there(changes: dict[str, Any], known: bool) -> None:
    status = {"token": "s-oauth", "refreshToken": "s-refresh", "expireTime": TOKENS.expires_ms, **changes}
    assert Tokens.of(status) == (TOKENS if known else None)


@pytest.mark.parametrize(("status", "logged_in"), [({"status": 2}, True), ({"status": 1}, False), (None, False)])
def test_logged_in_is_status_2(status: Any, logged_in: bool) -> None:
    assert is_logged_in(status) is logged_in


@pytest.mark.parametrize(
    ("policy", "tokens", "last_try_s", "due"),
    [
        (POLICY, TOKENS, None, True),
        (RefreshPolicy(enabled=False, before_s=86400), TOKENS, None, False),
        (POLICY, None, None, False),
        (RefreshPolicy(enabled=True, before_s=3599), TOKENS, None, False),
        (POLICY, Tokens("t", "r", int(NOW * 1000)), None, False),
        (POLICY, TOKENS, NOW - 1799, False),
        (POLICY, TOKENS, NOW - 1800, True),
        (POLICY, Tokens("t", "r", int((NOW + 10) * 1000)), NOW - 59, False),
        (POLICY, Tokens("t", "r", int((NOW + 10) * 1000)), NOW - 60, True),
    ],
)
def test_a_refresh_is_due_before_the_end_and_not_too_often(
    policy: RefreshPolicy, tokens: Tokens | None, last_try_s: float | None, due: bool
) -> None:
    assert is_due(policy, tokens, last_try_s, NOW) is due
