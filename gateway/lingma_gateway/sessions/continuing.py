"""In which session of Lingma's a turn is asked, and what becomes of that session. Pure.

This is the seam for session reuse. `Continuing` is asked three times: before a slot is taken (which account holds the
conversation), before the first question (which session, and what it has not seen), and when the turn has ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from lingma_gateway.conversation import Message, Tool, Turn
from lingma_gateway.sessions.knowledge import Knowledge, Miss, shown

HIT = "hit"


@dataclass(frozen=True, slots=True)
class Holder:
    """A Lingma that holds sessions: none survives its `epoch`."""

    account: str
    epoch: int = 0
    """Of `Instance.epoch`."""


@dataclass(frozen=True, slots=True)
class Continued:
    """The session that a turn goes on with, as it was."""

    digest: bytes
    """Of the beginning that it holds."""
    knowledge: Knowledge


@dataclass(frozen=True, slots=True)
class Place:
    """Where a turn is asked."""

    turn: Turn
    key_id: str
    holder: Holder
    model: str
    """Key of the upstream model."""
    session_id: str = ""
    """Empty: a new one."""
    unseen: tuple[Message, ...] = ()
    """The turn's messages that the session has not seen."""
    untold_tools: tuple[Tool, ...] = ()
    """The tools that the session has to be told of."""
    outcome: str = HIT
    """`hit`, or `miss:` and why: for the access log."""
    continued: Continued | None = None
    """None in a new session."""

    @property
    def is_reply(self) -> bool:
        """Whether the session has been asked before."""
        return bool(self.session_id)


@dataclass(frozen=True, slots=True)
class Retired:
    """A session that nothing comes back to: it is to be deleted upstream."""

    account: str
    session_id: str


class Continuing(Protocol):
    """Decides; whoever asks deletes what is retired."""

    def preferred(self, turn: Turn, key_id: str) -> str | None:
        """Name of the account that holds the conversation, if one does."""
        ...

    def place(self, turn: Turn, key_id: str, holder: Holder, model: str) -> Place:
        """Where `turn` is asked, now that it has a slot at `holder`. A session is in use until the turn has ended."""
        ...

    def succeeded(self, place: Place, session_id: str, answer: Message) -> None:
        """The session now holds the conversation up to `answer`, which is what the client was shown of it."""
        ...

    def failed(self, place: Place, session_id: str) -> None:
        """The turn failed, was left or was cut: what its session holds is not what the client has seen."""
        ...

    def retired(self) -> Sequence[Retired]:
        """The sessions that were given up since it was asked last."""
        ...

    def clear(self) -> None:
        """Give up all sessions that are kept."""
        ...


def fresh(turn: Turn, key_id: str, holder: Holder, model: str, why: Miss) -> Place:
    """A place in a new session."""
    return Place(turn, key_id, holder, model, "", turn.messages, shown(turn), f"miss:{why.value}")


class Fresh:
    """A new session each time, deleted afterwards: every turn carries its whole history."""

    def __init__(self) -> None:
        self._retired: list[Retired] = []

    def preferred(self, turn: Turn, key_id: str) -> str | None:
        return None

    def place(self, turn: Turn, key_id: str, holder: Holder, model: str) -> Place:
        return fresh(turn, key_id, holder, model, Miss.OFF)

    def succeeded(self, place: Place, session_id: str, answer: Message) -> None:
        self.failed(place, session_id)

    def failed(self, place: Place, session_id: str) -> None:
        if session_id:
            self._retired.append(Retired(place.holder.account, session_id))

    def retired(self) -> Sequence[Retired]:
        given_up, self._retired = self._retired, []
        return given_up

    def clear(self) -> None:
        pass
