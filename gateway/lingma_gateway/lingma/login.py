"""What `auth/status` and `auth/report` say, in words that a person can act on. Pure.

Status and whitelist numbers are from decompiled plugin code, consistent with live captures (protocol page, Enums).
"""

from typing import Any

from lingma_contract.health import LoginReason
from lingma_gateway.login.state import Login, is_logged_in

__all__ = ["NOT_CONNECTED", "Login", "interpret"]

_WHITELIST_PASS = 3

_STATUS = {
    1: (LoginReason.NO_SESSION, "Lingma is not logged in: provide a session bundle"),
    3: (LoginReason.SESSION_EXPIRED, "the session has expired: provide a new session bundle"),
    4: (LoginReason.LOGIN_ERROR, "Lingma reports a login error: see its log, then provide a new session bundle"),
    5: (LoginReason.NETWORK_ERROR, "Lingma cannot reach its service: check egress and proxy"),
    6: (LoginReason.IP_BANNED, "Lingma's service refuses this address: ask the provider"),
    7: (LoginReason.APP_DISABLED, "Lingma is disabled for this account: ask its administrator"),
}
_WHITELIST = {
    1: (LoginReason.NOT_LICENSED, "the account has no access to Lingma: ask its administrator"),
    2: (LoginReason.AWAITING_APPROVAL, "the account waits for approval by its administrator"),
    5: (LoginReason.NOT_LICENSED, "the account has no Lingma licence: ask its administrator"),
}


NOT_CONNECTED = Login(LoginReason.NOT_CONNECTED, "the gateway is not connected to Lingma yet")

NO_MODELS = Login(LoginReason.NO_SESSION, "Lingma is logged in and lists no models, as one that is logged out does")


def not_connected(why: str | None) -> Login:
    """There is no connection, because of `why` where something is known to have failed."""
    return NOT_CONNECTED if why is None else Login(LoginReason.NOT_CONNECTED, f"not connected to Lingma: {why}")


def interpret(status: dict[str, Any]) -> Login:
    """The login in the result of `auth/status` or the params of `auth/report`; tokens in it are not looked at."""
    number = status.get("status")
    if not is_logged_in(status):
        known = _STATUS.get(number) if isinstance(number, int) else None
        return Login(*known) if known else Login(LoginReason.LOGIN_ERROR, f"Lingma reports login status {number!r}")
    whitelist = status.get("whitelist", _WHITELIST_PASS)
    if isinstance(whitelist, int) and whitelist in _WHITELIST:
        return Login(*_WHITELIST[whitelist])
    return Login(LoginReason.LOGGED_IN, "logged in")
