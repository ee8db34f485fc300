"""Tokens as Lingma counted them: a line of its log is the only place that says (protocol page, push order: high).

    [TOKEN_USAGE]: {"completion_tokens":62,"prompt_tokens":495,"request_id":…,"total_tokens":557}

That `request_id` is the id of the `chat/ask` is assumed (low confidence): a line with another id is not used, and the
estimate stays.
"""

import re
from pathlib import Path

import orjson

from lingma_gateway.events import Usage

LOG_NAME = Path("logs") / "lingma.log"
MAX_READ_BYTES = 256 * 1024
"""Read at the end of a turn: the line is among the last ones."""

_LINE = re.compile(rb"\[TOKEN_USAGE\]:\s*(\{[^\n]*\})")


def read(work_dir: Path, request_id: str) -> Usage | None:
    """The usage that the log reports for `request_id`, or None."""
    try:
        with (work_dir / LOG_NAME).open("rb") as log:
            log.seek(0, 2)
            log.seek(max(0, log.tell() - MAX_READ_BYTES))
            tail = log.read(MAX_READ_BYTES)
    except OSError:
        return None
    return find(tail, request_id)


def find(tail: bytes, request_id: str) -> Usage | None:
    """The last report for `request_id` in the end of a log."""
    wanted = request_id.encode()
    for match in reversed(list(_LINE.finditer(tail))):
        if wanted in match[1] and (usage := _usage(match[1], request_id)) is not None:
            return usage
    return None


def _usage(line: bytes, request_id: str) -> Usage | None:
    try:
        counts = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    prompt, completion = counts.get("prompt_tokens"), counts.get("completion_tokens")
    if counts.get("request_id") != request_id or not _is_count(prompt) or not _is_count(completion):
        return None
    return Usage(prompt, completion, estimated=False)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
