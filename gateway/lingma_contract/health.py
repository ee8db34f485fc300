"""What `/healthz` of a gateway says: the operator turns it into conditions, people read it as it stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


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

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "state": self.state.value,
            "in_flight": self.in_flight,
            "ready": self.ready,
            "logged_in": self.logged_in,
            "reason": self.reason.value,
            "message": self.message,
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
            time=str(body.get("time", "")),
            draining=bool(body.get("draining", False)),
            instances=tuple(_instance(position, item) for position, item in enumerate(instances)),
        )


def _instance(position: int, item: object) -> InstanceHealth:
    if not isinstance(item, Mapping):
        raise ValueError(f"healthz: instances[{position}] is no object")
    try:
        return InstanceHealth(
            name=str(item["name"]),
            state=State(item["state"]),
            in_flight=int(item["in_flight"]),
            ready=bool(item["ready"]),
            logged_in=bool(item["logged_in"]),
            reason=LoginReason(item["reason"]),
            message=str(item["message"]),
        )
    except KeyError as error:
        raise ValueError(f"healthz: instances[{position}] has no field {error.args[0]!r}") from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"healthz: instances[{position}]: {error}") from error
