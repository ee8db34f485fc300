"""The sessions that the simulator remembers; store.py keeps them on disk. Pure."""

import uuid
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Record:
    """One turn of a session."""

    request_id: str
    task: str
    question: str
    answer: str = ""


@dataclass(slots=True)
class Session:
    """A conversation upstream."""

    session_id: str
    created_ms: int
    modified_ms: int
    records: list[Record] = field(default_factory=list)
    tool_reply: Any = None
    """The client's last reply to tool/invoke."""

    def position(self, request_id: str) -> int | None:
        """Where a turn is among the records; the last of several."""
        found = [number for number, record in enumerate(self.records) if record.request_id == request_id]
        return found[-1] if found else None

    @property
    def title(self) -> str:
        """The first question, cut as a title."""
        return self.records[0].question[:20] if self.records else ""

    def describe(self, uid: str) -> dict[str, Any]:
        """The session as chat/listAllSessions and chat/getSessionById give it."""
        return {
            "userId": uid,
            "sessionId": self.session_id,
            "sessionTitle": self.title,
            "projectId": "",
            "projectUri": "",
            "gmtCreate": self.created_ms,
            "gmtModified": self.modified_ms,
            "chatRecords": [
                {
                    "requestId": record.request_id,
                    "chatTask": record.task,
                    "question": record.question,
                    "answer": record.answer,
                    "likeStatus": 0,
                }
                for record in self.records
            ],
        }


class Sessions:
    """All sessions by id, oldest first."""

    def __init__(self) -> None:
        self._by_id: dict[str, Session] = {}

    def open(self, session_id: str, *, is_reply: bool, now_ms: int) -> Session:
        """The session that a turn belongs to.

        An empty id makes one. An unknown id of a reply makes one too, under a new id (assumed): the context is gone and
        the changed id says so. An unknown id of a first question is the client's own choice and is taken.
        """
        known = self._by_id.get(session_id)
        if known is not None:
            known.modified_ms = now_ms
            return known
        fresh = str(uuid.uuid4()) if is_reply or not session_id else session_id
        session = self._by_id[fresh] = Session(fresh, now_ms, now_ms)
        return session

    def add(self, session: Session) -> None:
        """Take a session that was known before the process began."""
        self._by_id[session.session_id] = session

    def rename(self, session: Session) -> str:
        """Give a session a new id, under which alone it is known from now on; the old one is returned."""
        old = session.session_id
        session.session_id = str(uuid.uuid4())
        self._by_id.pop(old, None)
        self._by_id[session.session_id] = session
        return old

    def delete_record(self, request_id: str) -> Session | None:
        """Forget one turn; the session that it was in, or None."""
        for session in self._by_id.values():
            for record in session.records:
                if record.request_id == request_id:
                    session.records.remove(record)
                    return session
        return None

    def get(self, session_id: str) -> Session | None:
        """The session, if it is known."""
        return self._by_id.get(session_id)

    def delete(self, session_id: str) -> bool:
        """Forget a session; whether it was known."""
        return self._by_id.pop(session_id, None) is not None

    def clear(self) -> None:
        """Forget all of them."""
        self._by_id.clear()

    def all(self) -> list[Session]:
        """All of them, oldest first."""
        return list(self._by_id.values())
