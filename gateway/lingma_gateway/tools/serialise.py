"""The one place that writes the JSON of a call's arguments: members are only ever appended."""

import json
import re
from typing import Any

_LONE = re.compile("[\ud800-\udfff]")
"""Half of a character that a JSON escape made and UTF-8 cannot carry: it stays an escape."""


def json_text(value: Any) -> str:
    """`value` as JSON, as the arguments hold it."""
    return _sendable(json.dumps(value, ensure_ascii=False))


def escaped(text: str) -> str:
    """`text` as it stands between the quotes of a JSON string; pieces may be escaped one by one."""
    return _sendable(json.dumps(text, ensure_ascii=False)[1:-1])


def _sendable(text: str) -> str:
    return _LONE.sub(lambda half: f"\\u{ord(half.group()):04x}", text)


class ArgumentsText:
    """The text of a JSON object, member by member. Each method gives the text to append."""

    def __init__(self) -> None:
        self._members = 0

    def key(self, name: str) -> str:
        """What goes before the value of the next member."""
        opening = ", " if self._members else "{"
        self._members += 1
        return f"{opening}{json_text(name)}: "

    def end(self) -> str:
        """The last brace."""
        return "}" if self._members else "{}"


def continuation(sent: str, arguments: str) -> str | None:
    """What must follow `sent`, so that it becomes arguments that mean the same as `arguments`.

    A call that failed after some of it was handed out may be asked for again: if the new one begins like the old one,
    in any order of keys, the client's copy is completed. None: it does not, and the call is lost.
    """
    given: dict[str, Any] = json.loads(arguments)
    for key, value in _ordered(sent, given).items():
        given.pop(key)
        given[key] = value
    ordered = json_text(given)
    return ordered[len(sent) :] if ordered.startswith(sent) else None


def _ordered(sent: str, given: dict[str, Any]) -> dict[str, Any]:
    """The members of `given`, those of `sent` first and in its order."""
    places = {key: sent.find(f"{json_text(key)}: ") for key in given}
    behind = len(sent) + 1
    order = sorted(given, key=lambda key: places[key] if places[key] >= 0 else behind)
    return {key: given[key] for key in order}
