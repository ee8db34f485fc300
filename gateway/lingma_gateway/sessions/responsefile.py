"""The file of stored responses: SQLite, readable by its owner only, bounded in size and age.

Its calls block, and all of them belong on one thread.
"""

import logging
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from lingma_contract.jsonlog import event
from lingma_gateway.sessions import files

log = logging.getLogger(__name__)

T = TypeVar("T")

FILE_NAME = "responses.sqlite"
DAMAGED = ".damaged"
"""Put behind the name of a file that cannot be read; an earlier such file is replaced."""
_VERSION = 1
"""Of the schema; a file of another one is set aside like a damaged one."""
_SCHEMA = f"""
    PRAGMA auto_vacuum = INCREMENTAL;
    BEGIN;
    CREATE TABLE response (
        id TEXT PRIMARY KEY,
        key_id TEXT NOT NULL,
        previous_id TEXT,
        used_at REAL NOT NULL,
        size INTEGER NOT NULL,
        items BLOB NOT NULL,
        body BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX response_by_use ON response (used_at, id, size);
    PRAGMA user_version = {_VERSION};
    COMMIT;
"""
_DAMAGES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_JOURNAL_PAGES = 256
"""Of 4 KiB: about how much the file's journal holds before it is written back."""
_MAX_CHAIN = 10_000
"""Responses in one conversation: each is one look-up."""


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A response with what it answered."""

    id: str
    key_id: str
    """Of the API key whose response it is: no other one finds it."""
    previous_id: str | None
    """The response that it continues."""
    items: bytes
    """The items of its request, a JSON list."""
    body: bytes
    """The response, a JSON object."""

    @property
    def size(self) -> int:
        """Bytes that it counts for."""
        return len(self.items) + len(self.body)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept, and for how long. Age counts from the last use: the last turn of its conversation."""

    max_age_s: float
    max_bytes: int


class StoreUnavailable(Exception):
    """The file cannot be used: no space, no permission, an error of the disk."""


class TooLarge(StoreUnavailable):
    """The response alone is larger than all that may be kept."""


class Lost(Exception):
    """A response of a chain is not there; the message is its id."""


class ResponseFile:
    """The open file. Whatever turns out to be damaged is set aside, and an empty one begun."""

    def __init__(self, folder: Path, limits: Limits, now: Callable[[], float]) -> None:
        """`now`: seconds since 1970."""
        self._path = folder / FILE_NAME
        self._limits = limits
        self._now = now
        self._open: sqlite3.Connection | None = None

    def put(self, response: StoredResponse) -> None:
        """Store a response; others give way to it, those first that were not used for longest.

        Raises:
            StoreUnavailable: it is not stored.
        """
        if response.size > self._limits.max_bytes:
            raise TooLarge(f"it has {response.size} bytes, and {self._limits.max_bytes} may be kept in all")
        self._with_file(lambda file: self._put(file, response))

    def chain(self, id: str, key_id: str) -> list[StoredResponse]:
        """The response and all that it continues, the oldest first. They count as used now.

        Raises:
            Lost: one of them is not there.
            StoreUnavailable: the file cannot be read.
        """
        return self._with_file(lambda file: self._chain(file, id, key_id))

    def get(self, id: str, key_id: str) -> StoredResponse | None:
        """One response.

        Raises:
            StoreUnavailable: the file cannot be read.
        """
        return self._with_file(lambda file: self._get(file, id, key_id))

    def delete(self, id: str, key_id: str) -> bool:
        """Remove one response, its bytes too; False: it was not there.

        Raises:
            StoreUnavailable: the file cannot be written.
        """
        return self._with_file(lambda file: self._delete(file, id, key_id))

    def close(self) -> None:
        """Close the file."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _with_file(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            try:
                return self._transaction(work)
            except sqlite3.DatabaseError as error:
                if getattr(error, "sqlite_errorcode", None) not in _DAMAGES:
                    raise
                self._set_aside(str(error))
                return self._transaction(work)
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise StoreUnavailable(str(error)) from error

    def _transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        file = self._connected()
        with file:
            return work(file)

    def _connected(self) -> sqlite3.Connection:
        if self._open is None:
            self._open = self._connect()
        return self._open

    def _connect(self) -> sqlite3.Connection:
        files.private_folder(self._path.parent)
        # Made by us, so that it never is readable by others; SQLite gives its helper files the same mode.
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        file = sqlite3.connect(self._path, timeout=5)
        try:
            version = file.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                file.executescript(_SCHEMA)
            elif version != _VERSION:
                raise _OtherVersion(version)
            file.execute("PRAGMA journal_mode = WAL")
            file.execute("PRAGMA synchronous = NORMAL")
            file.execute("PRAGMA secure_delete = ON")
            file.execute(f"PRAGMA wal_autocheckpoint = {_JOURNAL_PAGES}")
            file.execute("PRAGMA journal_size_limit = 0")
        except BaseException:
            file.close()
            raise
        return file

    def _set_aside(self, why: str) -> None:
        self.close()
        aside = self._path.with_name(self._path.name + DAMAGED)
        os.replace(self._path, aside)
        for ending in ("-wal", "-shm"):
            self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
        event(log, "responses_set_aside", level=logging.ERROR, file=str(aside), reason=why)

    def _put(self, file: sqlite3.Connection, response: StoredResponse) -> None:
        file.execute("DELETE FROM response WHERE used_at < ?", (self._now() - self._limits.max_age_s,))
        self._make_room(file, response.size)
        file.execute(
            "INSERT OR REPLACE INTO response VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                response.id,
                response.key_id,
                response.previous_id,
                self._now(),
                response.size,
                response.items,
                response.body,
            ),
        )

    def _make_room(self, file: sqlite3.Connection, size: int) -> None:
        excess = file.execute("SELECT total(size) FROM response").fetchone()[0] + size - self._limits.max_bytes
        if excess <= 0:
            return
        unused: list[tuple[str]] = []
        for id, freed in file.execute("SELECT id, size FROM response ORDER BY used_at"):
            unused.append((id,))
            excess -= freed
            if excess <= 0:
                break
        file.executemany("DELETE FROM response WHERE id = ?", unused)
        file.execute("PRAGMA incremental_vacuum").fetchall()  # each row that is fetched frees a page

    def _get(self, file: sqlite3.Connection, id: str, key_id: str) -> StoredResponse | None:
        row = file.execute(
            "SELECT id, key_id, previous_id, items, body FROM response WHERE id = ? AND key_id = ? AND used_at >= ?",
            (id, key_id, self._now() - self._limits.max_age_s),
        ).fetchone()
        return None if row is None else StoredResponse(*row)

    def _chain(self, file: sqlite3.Connection, id: str, key_id: str) -> list[StoredResponse]:
        found: list[StoredResponse] = []
        wanted: str | None = id
        while wanted is not None:
            response = self._get(file, wanted, key_id)
            if response is None or len(found) == _MAX_CHAIN:
                raise Lost(wanted)
            found.append(response)
            wanted = response.previous_id
        now = self._now()
        file.executemany("UPDATE response SET used_at = ? WHERE id = ?", [(now, each.id) for each in found])
        return found[::-1]

    def _delete(self, file: sqlite3.Connection, id: str, key_id: str) -> bool:
        removed = file.execute("DELETE FROM response WHERE id = ? AND key_id = ?", (id, key_id)).rowcount
        return removed > 0


class _OtherVersion(sqlite3.DatabaseError):
    """The file is of another version of this program."""

    sqlite_errorcode = sqlite3.SQLITE_NOTADB

    def __init__(self, version: int) -> None:
        super().__init__(f"the file has version {version}, this program writes version {_VERSION}")
