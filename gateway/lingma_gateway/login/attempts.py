"""The last try of each way to log in, kept in the work directory so that a restart does not begin to count anew.

A gateway that crashes in a loop would otherwise try a wrong password at each start until the account is locked.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lingma_contract.jsonlog import event
from lingma_gateway.login.marks import SALT_BYTES, Marks, new_salt
from lingma_gateway.login.plan import Attempt, Result, Way
from lingma_gateway.sessions import files
from lingma_gateway.sessions.captured import STATE_DIR

log = logging.getLogger(__name__)

_NAME = "login.json"


class AttemptLog:
    """Its methods touch a file; a gateway calls them from a thread."""

    def __init__(self, work_dir: Path) -> None:
        self._path = work_dir / STATE_DIR / _NAME
        stored = self._load()
        self._marks = Marks(_salt(stored))
        self._attempts = _attempts(stored)

    @property
    def attempts(self) -> dict[Way, Attempt]:
        """The last try of each way that was tried since the last login."""
        return dict(self._attempts)

    def mark(self, credential: Sequence[str]) -> str:
        """Tells a credential apart from others and cannot be turned back."""
        return self._marks.of(credential)

    def put(self, way: Way, attempt: Attempt) -> None:
        """Remember a try."""
        self._attempts[way] = attempt
        self._store()

    def clear(self) -> None:
        """Logged in: what was tried before does not count any more."""
        if self._attempts:
            self._attempts.clear()
            self._store()

    def _load(self) -> dict[str, Any]:
        try:
            stored = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            event(log, "login_attempts_unreadable", level=logging.WARNING, error=type(error).__name__)
            return {}
        return stored if isinstance(stored, dict) else {}

    def _store(self) -> None:
        attempts = {way.value: asdict(attempt) for way, attempt in self._attempts.items()}
        content = json.dumps({"salt": self._marks.salt.hex(), "attempts": attempts}).encode()
        try:
            files.private_folder(self._path.parent)
            files.replace(self._path, content)
        except OSError as error:
            # It still holds in memory.
            event(log, "login_attempts_not_kept", level=logging.WARNING, error=type(error).__name__)


def _salt(stored: dict[str, Any]) -> bytes:
    try:
        salt = bytes.fromhex(stored["salt"])
    except (KeyError, TypeError, ValueError):
        salt = b""
    return salt if len(salt) == SALT_BYTES else new_salt()


def _attempts(stored: dict[str, Any]) -> dict[Way, Attempt]:
    """The tries in a stored file; one that is not understood is none."""
    entries = stored.get("attempts")
    found = {}
    for way in Way:
        entry = entries.get(way.value) if isinstance(entries, dict) else None
        if isinstance(entry, dict):
            attempt = _attempt(entry)
            if attempt is not None:
                found[way] = attempt
    return found


def _attempt(entry: dict[str, Any]) -> Attempt | None:
    issued = entry.get("url_issued_s")
    try:
        return Attempt(
            result=Result(entry["result"]),
            at_s=float(entry["at_s"]),
            in_a_row=max(1, int(entry["in_a_row"])),
            credential=str(entry["credential"]),
            message=str(entry["message"]),
            url_issued_s=None if issued is None else float(issued),
        )
    except (KeyError, TypeError, ValueError):
        return None
