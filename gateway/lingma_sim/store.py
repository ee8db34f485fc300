"""Sessions on disk: `cache/db/local.db`, SQLite with chat_session and chat_record, as Lingma keeps them.

The tables' names are attested (protocol page, section 2); their columns follow chat/listAllSessions and are assumed.
"""

import os
import sqlite3
from pathlib import Path

from lingma_sim.sessions import Record, Session, Sessions

_SCHEMA = """
CREATE TABLE IF NOT EXISTS chat_session (
    session_id TEXT PRIMARY KEY, session_title TEXT NOT NULL,
    gmt_create INTEGER NOT NULL, gmt_modified INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS chat_record (
    session_id TEXT NOT NULL, position INTEGER NOT NULL, request_id TEXT NOT NULL, chat_task TEXT NOT NULL,
    question TEXT NOT NULL, answer TEXT NOT NULL, PRIMARY KEY (session_id, position)
);
"""


class Store:
    """The database, open from the start of the process to its end."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Owner only: it holds prompts.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.executescript(_SCHEMA)

    def load(self) -> Sessions:
        """All sessions, oldest first."""
        sessions = Sessions()
        for row in self._database.execute(
            "SELECT session_id, gmt_create, gmt_modified FROM chat_session ORDER BY gmt_create, rowid"
        ):
            session = Session(*row)
            session.records += [
                Record(*record)
                for record in self._database.execute(
                    "SELECT request_id, chat_task, question, answer FROM chat_record WHERE session_id = ? "
                    "ORDER BY position",
                    (session.session_id,),
                )
            ]
            sessions.add(session)
        return sessions

    def save(self, session: Session) -> None:
        """Write a session as it is now."""
        self._database.execute("BEGIN")
        self._delete(session.session_id)
        self._database.execute(
            "INSERT INTO chat_session VALUES (?, ?, ?, ?)",
            _storable(session.session_id, session.title, session.created_ms, session.modified_ms),
        )
        self._database.executemany(
            "INSERT INTO chat_record VALUES (?, ?, ?, ?, ?, ?)",
            [
                _storable(session.session_id, number, one.request_id, one.task, one.question, one.answer)
                for number, one in enumerate(session.records)
            ],
        )
        self._database.execute("COMMIT")

    def delete(self, session_id: str) -> None:
        """Delete a session with its turns."""
        self._database.execute("BEGIN")
        self._delete(session_id)
        self._database.execute("COMMIT")

    def _delete(self, session_id: str) -> None:
        for table in ("chat_record", "chat_session"):
            self._database.execute(f"DELETE FROM {table} WHERE session_id = ?", _storable(session_id))  # two constants

    def clear(self) -> None:
        """Delete everything."""
        self._database.executescript("BEGIN; DELETE FROM chat_record; DELETE FROM chat_session; COMMIT;")

    def close(self) -> None:
        """Give the file back."""
        self._database.close()


def _storable(*values: str | int) -> tuple[str | int, ...]:
    # JSON can carry a lone surrogate, which SQLite cannot.
    return tuple(value.encode("utf-8", "replace").decode() if isinstance(value, str) else value for value in values)
