"""What `/healthz` of a gateway says: the operator turns it into conditions, people read it as it stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar


class State(StrEnum):
    """State of the connection to one Lingma."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    RECONNECTING = "reconnecting"
    FAILED = "failed"
    CLOSED = "closed"


class LoginReason(StrEnum):
    """Why an instance is logged in or not; used as it stands as the reason of condition LoggedIn."""

    LOGGED_IN = "LoggedIn"
    NOT_CONNECTED = "NotConnected"
    """Nothing is known: there is no connection to Lingma yet, or no more."""
    NO_SESSION = "NoSession"
    """Logged out, and there is no bundle to restore."""
    BUNDLE_INVALID = "BundleInvalid"
    SESSION_REJECTED = "SessionRejected"
    """A bundle was restored and Lingma did not take it."""
    SESSION_EXPIRED = "SessionExpired"
    LOGIN_IN_PROGRESS = "LoginInProgress"
    """The gateway is logging in by itself."""
    HUMAN_VERIFICATION_NEEDED = "HumanVerificationNeeded"
    """The login page asks for a person: a captcha, a slider, an SMS code, or something unknown. Never worked around."""
    CREDENTIALS_REJECTED = "CredentialsRejected"
    """The password, token or access key was refused, and there is no other way in."""
    LOGIN_ERROR = "LoginError"
    NETWORK_ERROR = "NetworkError"
    IP_BANNED = "IPBanned"
    APP_DISABLED = "AppDisabled"
    AWAITING_APPROVAL = "AwaitingApproval"
    NOT_LICENSED = "NotLicensed"


SESSION_FAULTS = frozenset(
    {
        LoginReason.NO_SESSION,
        LoginReason.BUNDLE_INVALID,
        LoginReason.SESSION_REJECTED,
        LoginReason.SESSION_EXPIRED,
        LoginReason.HUMAN_VERIFICATION_NEEDED,
        LoginReason.CREDENTIALS_REJECTED,
    }
)
"""Reasons that a new session bundle can cure."""


@dataclass(frozen=True, slots=True)
class InstanceHealth:
    """One Lingma of the pool."""

    name: str
    state: State
    in_flight: int
    ready: bool
    """Connected and logged in: it takes requests."""
    logged_in: bool
    reason: LoginReason
    message: str
    """A sentence for the person who runs it: what is wrong and what to do."""
    captured: str | None = None
    """Digest of the login that was captured last, where Lingma changed the one it was given."""

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "state": self.state.value,
            "in_flight": self.in_flight,
            "ready": self.ready,
            "logged_in": self.logged_in,
            "reason": self.reason.value,
            "message": self.message,
            "captured": self.captured,
        }


@dataclass(frozen=True, slots=True)
class Health:
    """The whole pool. `ok` means that at least one instance is ready."""

    time: str
    """RFC 3339."""
    instances: tuple[InstanceHealth, ...]
    draining: bool = False

    @property
    def pool_ready(self) -> int:
        return sum(instance.ready for instance in self.instances)

    def as_json(self) -> dict[str, Any]:
        return {
            "ok": self.pool_ready > 0,
            "time": self.time,
            "draining": self.draining,
            "pool_size": len(self.instances),
            "pool_ready": self.pool_ready,
            "instances": [instance.as_json() for instance in self.instances],
        }

    @classmethod
    def parse(cls, body: object) -> "Health":
        """The report in a decoded `/healthz` body.

        Raises:
            ValueError: it is no such report; the message names the field.
        """
        if not isinstance(body, Mapping):
            raise ValueError("healthz: not an object")
        instances = body.get("instances")
        if not isinstance(instances, list):
            raise ValueError("healthz: instances is no list")
        return cls(
            time=_field({"time": "", **body}, "time", str, "healthz"),
            draining=_field({"draining": False, **body}, "draining", bool, "healthz"),
            instances=tuple(_instance(f"healthz: instances[{index}]", item) for index, item in enumerate(instances)),
        )


def _instance(where: str, item: object) -> InstanceHealth:
    if not isinstance(item, Mapping):
        raise ValueError(f"{where} is no object")
    return InstanceHealth(
        name=_field(item, "name", str, where),
        state=_member(item, "state", State, where),
        in_flight=_field(item, "in_flight", int, where),
        ready=_field(item, "ready", bool, where),
        logged_in=_field(item, "logged_in", bool, where),
        reason=_member(item, "reason", LoginReason, where),
        message=_field(item, "message", str, where),
        captured=None if item.get("captured") is None else _field(item, "captured", str, where),
    )


_Value = TypeVar("_Value", str, int, bool)
_Member = TypeVar("_Member", bound=StrEnum)


def _field(item: Mapping[Any, Any], name: str, kind: type[_Value], where: str) -> _Value:
    if name not in item:
        raise ValueError(f"{where} has no field {name!r}")
    value = item[name]
    # True is an int to Python, not to JSON.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"{where}.{name} is no {_KINDS[kind]}")
    return value


_KINDS = {str: "string", int: "integer", bool: "boolean"}


def _member(item: Mapping[Any, Any], name: str, members: type[_Member], where: str) -> _Member:
    value = _field(item, name, str, where)
    try:
        return members(value)
    except ValueError as error:
        raise ValueError(f"{where}.{name}: {error}") from error
