"""The login as the rest of the gateway sees it, and what the login needs of `auth/status`. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lingma_contract.health import LoginReason

LOGGED_IN_STATUS = 2
"""`status` of auth/status (protocol page, Enums: medium to high confidence)."""


@dataclass(frozen=True, slots=True)
class Login:
    """Whether Lingma is logged in, and if not, why and what to do."""

    reason: LoginReason
    message: str

    @property
    def logged_in(self) -> bool:
        return self.reason is LoginReason.LOGGED_IN


@dataclass(frozen=True, slots=True)
class Tokens:
    """What `auth/refreshToken` asks for, as `auth/status` tells it. Shows nothing when printed."""

    security_oauth_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_ms: int
    """Milliseconds since 1970."""

    @classmethod
    def of(cls, status: Mapping[str, Any]) -> "Tokens | None":
        """The tokens in a result of `auth/status`; None where one is missing."""
        token, refresh, expires_ms = (status.get(name) for name in ("token", "refreshToken", "expireTime"))
        # Captures show a number; a string of digits is taken too, since a Go int64 may be sent as one.
        if isinstance(expires_ms, str) and expires_ms.isdecimal():
            expires_ms = int(expires_ms)
        if not isinstance(expires_ms, int) or isinstance(expires_ms, bool) or expires_ms <= 0:
            return None
        if not (isinstance(token, str) and token and isinstance(refresh, str) and refresh):
            return None
        return cls(token, refresh, expires_ms)

    def left_s(self, now_s: float) -> float:
        """Seconds until the login ends; negative when it has ended."""
        return self.expires_ms / 1000 - now_s


def is_logged_in(status: object) -> bool:
    """Whether a result of `auth/status` says that an account is logged in."""
    return isinstance(status, Mapping) and status.get("status") == LOGGED_IN_STATUS
