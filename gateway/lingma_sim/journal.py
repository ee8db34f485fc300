"""What the simulator writes down: Lingma's log (standard error and `logs/lingma.log`) and, if asked, every frame."""

import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from lingma_sim.rpc import Message

MASK = "***"
SECRET_FIELDS = frozenset(
    {
        *("token", "refreshtoken", "securityoauthtoken", "tokenstring", "personaltoken", "accesstoken", "auth"),
        *("password", "secret", "secretkey", "accesskey", "apikey", "key", "verifier", "nonce", "loginurl"),
        *("encryptuserinfo", "machinetoken"),
    }
)
"""Field names, lower case and without underscores, whose text is never recorded. `key` of a model is let through."""

_IN_ADDRESS = re.compile(r"\b(nonce|auth|token)=[^&\s\"']+")


def masked(value: Any) -> Any:
    """`value` with the text of every secret field replaced, and of secrets in addresses."""
    if isinstance(value, str):
        return _IN_ADDRESS.sub(rf"\1={MASK}", value)
    if isinstance(value, list):
        return [masked(item) for item in value]
    if not isinstance(value, dict):
        return value
    is_model = "displayName" in value or set(value) == {"key"}
    return {
        name: MASK if item and _is_secret(name) and not (is_model and name == "key") else masked(item)
        for name, item in value.items()
    }


def _is_secret(name: str) -> bool:
    return name.lower().replace("_", "").replace("-", "") in SECRET_FIELDS


_ONE_LINE = {ord("\n"): "\\n", ord("\r"): "\\r"}


def _appended(path: Path) -> TextIO:
    # Owner only: a log of frames holds prompts.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return os.fdopen(descriptor, "a", encoding="utf-8", errors="replace")


class Journal:
    """Open from the start of the process to its end; close() gives the files back."""

    def __init__(
        self,
        log: Path,
        record: Path | None,
        stderr: TextIO | None = None,
        keep: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._log = _appended(log)
        self._record = _appended(record) if record is not None else None
        self._stderr: TextIO | None = stderr or sys.stderr
        self._keep = keep

    def log(self, message: str) -> None:
        """One line of Lingma's log."""
        line = f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {message.translate(_ONE_LINE)}\n"
        self._log.write(line)
        self._log.flush()
        if self._stderr is not None:
            try:
                self._stderr.write(line)
                self._stderr.flush()
            except OSError:
                # Whoever started us is gone, and its end of the pipe with it: the file goes on alone.
                self._stderr = None

    def usage(self, request_id: str, prompt_tokens: int, completion_tokens: int) -> None:
        """The line in which Lingma tells a turn's tokens: nothing on the wire does."""
        counts = {
            "completion_tokens": completion_tokens,
            "prompt_tokens": prompt_tokens,
            "request_id": request_id,
            "total_tokens": prompt_tokens + completion_tokens,
        }
        self.log(f"[TOKEN_USAGE]: {json.dumps(counts, separators=(',', ':'))}")

    def frame(self, direction: str, connection: int, message: Message | Mapping[str, Any]) -> None:
        """Record one frame (`in` or `out`), masked, and keep it for the control port."""
        if self._record is None and self._keep is None:
            return
        line = {"direction": direction, "connection": connection, "message": masked(message)}
        if self._record is not None:
            self._record.write(json.dumps(line, ensure_ascii=False) + "\n")
            self._record.flush()
        if self._keep is not None:
            self._keep(line)

    def close(self) -> None:
        """Close the files."""
        self._log.close()
        if self._record is not None:
            self._record.close()
