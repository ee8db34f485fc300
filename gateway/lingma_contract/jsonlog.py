"""Log lines: one JSON object a line, the same form in every program, so that `kubectl logs … | jq` reads them all."""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

_FIELDS = "fields"


def event(logger: logging.Logger, name: str, /, *, level: int = logging.INFO, **fields: Any) -> None:
    """Write one line whose `event` is `name`, with `fields` beside it. Fields that are None are left out."""
    if logger.isEnabledFor(level):
        logger.log(level, name, extra={_FIELDS: fields}, stacklevel=2)


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class JsonFormatter(logging.Formatter):
    """Renders a record as `{"time", "level", "logger", "event", …fields, "error", "traceback"}`."""

    def __init__(self, constant: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self._constant = dict(constant or {})

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _rfc3339(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **self._constant,
        }
        fields = getattr(record, _FIELDS, None)
        if isinstance(fields, dict):
            line.update((key, value) for key, value in fields.items() if value is not None)
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["traceback"] = self.formatException(record.exc_info)
        text = json.dumps(line, ensure_ascii=False, default=str, separators=(",", ":"))
        # A lone surrogate cannot be written; the escape that replaces it is JSON's own.
        return text.encode("utf-8", "backslashreplace").decode()


def configure(level: str, constant: Mapping[str, Any] | None = None, stream: TextIO | None = None) -> None:
    """Send every log line of this process to `stream` (standard output when None) in this form.

    Raises:
        ValueError: `level` is no level of the logging module.
    """
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter(constant))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
