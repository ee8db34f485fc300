"""The states of the connection to one Lingma, as a table. Pure.

`failed` is only the name of the longest backoff: connection and login are tried again from there too, for ever.
"""

from collections.abc import Mapping
from enum import Enum

from lingma_contract.health import State


class Cause(Enum):
    """What changes the state."""

    RUN = "the gateway runs it"
    CONNECTED = "`initialize` and `auth/status` are answered"
    MISSED = "the connection is lost, or could not be made"
    EXHAUSTED = "the same, and the wait before the next try is the longest"
    CLOSE = "the gateway ends"


class IllegalTransition(Exception):
    """A defect of ours: the table has no such step."""


TRANSITIONS: Mapping[tuple[State, Cause], State] = {
    (State.STOPPED, Cause.RUN): State.STARTING,
    (State.STARTING, Cause.CONNECTED): State.READY,
    (State.STARTING, Cause.MISSED): State.RECONNECTING,
    (State.STARTING, Cause.CLOSE): State.CLOSED,
    (State.READY, Cause.MISSED): State.RECONNECTING,
    # Ready for moments only, again and again: such a connection does not shorten the waits.
    (State.READY, Cause.EXHAUSTED): State.FAILED,
    (State.READY, Cause.CLOSE): State.CLOSED,
    (State.RECONNECTING, Cause.CONNECTED): State.READY,
    (State.RECONNECTING, Cause.MISSED): State.RECONNECTING,
    (State.RECONNECTING, Cause.EXHAUSTED): State.FAILED,
    (State.RECONNECTING, Cause.CLOSE): State.CLOSED,
    (State.FAILED, Cause.CONNECTED): State.READY,
    (State.FAILED, Cause.EXHAUSTED): State.FAILED,
    (State.FAILED, Cause.CLOSE): State.CLOSED,
}


def after(state: State, cause: Cause) -> State:
    """The state that follows.

    Raises:
        IllegalTransition: none does.
    """
    following = TRANSITIONS.get((state, cause))
    if following is None:
        raise IllegalTransition(f"{state.value}: {cause.value}")
    return following
