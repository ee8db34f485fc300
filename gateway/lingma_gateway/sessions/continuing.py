"""In which session of Lingma's a turn is asked, and what becomes of that session. Pure.

This is the seam for session reuse. `Continuing` is asked three times: before a slot is taken (which account holds the
conversation), before the first question (which session, and what it has not seen), and when the turn has ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from lingma_gateway.conversation import Message, Turn


@dataclass(frozen=True, slots=True)
class Place:
    """Where a turn is asked."""

    turn: Turn
    key_id: str
    account: str
    model: str
    """Key of the upstream model."""
    session_id: str = ""
    """Empty: a new one."""
    unseen: tuple[Message, ...] = ()
    """The turn's messages that the session has not seen."""
    knows_tools: bool = False
    """Whether the session has been told of the turn's tools."""

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

    def place(self, turn: Turn, key_id: str, account: str, model: str) -> Place:
        """Where `turn` is asked, now that it has a slot on `account`. A session is in use until the turn has ended."""
        ...

    def succeeded(self, place: Place, session_id: str, answer: Message) -> Sequence[Retired]:
        """The session now holds the conversation up to `answer`, which is what the client was shown of it."""
        ...

    def failed(self, place: Place, session_id: str) -> Sequence[Retired]:
        """The turn failed, was left or was cut: what its session holds is not what the client has seen."""
        ...


class Fresh:
    """A new session each time, deleted afterwards: every turn carries its whole history."""

    def preferred(self, turn: Turn, key_id: str) -> str | None:
        return None

    def place(self, turn: Turn, key_id: str, account: str, model: str) -> Place:
        return Place(turn, key_id, account, model, unseen=turn.messages)

    def succeeded(self, place: Place, session_id: str, answer: Message) -> Sequence[Retired]:
        return self.failed(place, session_id)

    def failed(self, place: Place, session_id: str) -> Sequence[Retired]:
        return (Retired(place.account, session_id),) if session_id else ()
