"""The faults that can be switched on: their names, what value each takes, and which are on. Pure.

The same words work in `--fault`, in LINGMA_SIM_FAULTS, over the control port and, for faults of a turn, in
`@sim fault`. docs/simulator.md says of each what it does and where it is attested.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

LONGEST_SECONDS = 3600.0
LARGEST_COUNT = 1_000_000


class FaultError(ValueError):
    """A fault that does not exist, or a value that it does not take. Its text is for the person who wrote it."""


class Where(Enum):
    """What a fault strikes, and so when it is read."""

    PROCESS = "process"
    """Start, end and files."""
    WIRE = "wire"
    """Frames and replies, as they are sent."""
    LOGIN = "login"
    """The account and the login page."""
    TURN = "turn"
    """A chat turn: read once when it begins."""


class Form(Enum):
    """What a value looks like."""

    NONE = "none"
    SECONDS = "seconds"
    COUNT = "count"
    CHOICE = "choice"
    TEXT = "text"
    STATUS = "status"
    """A number of up to five digits and, after a space, a reason."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One fault."""

    name: str
    where: Where
    form: Form = Form.NONE
    default: str | None = None
    """The value when none is given; None: one must be given, unless the form is NONE."""
    choices: tuple[str, ...] = ()

    def value(self, text: str) -> str:
        """`text` as a value of this fault, or its default.

        Raises:
            FaultError: the fault takes no such value.
        """
        if self.form is Form.NONE:
            if text:
                raise FaultError(f"{self.name} takes no value")
            return ""
        text = text or self.default or ""
        if not text:
            raise FaultError(f"{self.name} needs a value")
        if not self._fits(text):
            raise FaultError(f"{self.name} does not take {text!r}{self._hint()}")
        return text

    def _fits(self, text: str) -> bool:
        match self.form:
            case Form.SECONDS:
                return _is_seconds(text)
            case Form.COUNT:
                return text.isascii() and text.isdigit() and len(text) < 8 and 1 <= int(text) <= LARGEST_COUNT
            case Form.CHOICE:
                return text in self.choices
            case Form.STATUS:
                code = text.partition(" ")[0]
                return code.isascii() and code.isdigit() and len(code) <= 5 and text.isprintable()
            case _:
                return text.isprintable()

    def _hint(self) -> str:
        return f": one of {', '.join(self.choices)}" if self.choices else ""


def _is_seconds(text: str) -> bool:
    try:
        return 0 <= float(text) <= LONGEST_SECONDS  # NaN compares false
    except ValueError:
        return False


def _choice(name: str, where: Where, *choices: str) -> Kind:
    """A fault with a few values, the first of which is the default."""
    return Kind(name, where, Form.CHOICE, choices[0], choices)


_PROCESS, _WIRE, _LOGIN, _TURN = Where.PROCESS, Where.WIRE, Where.LOGIN, Where.TURN

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("slow-info", _PROCESS, Form.SECONDS, "1"),
        Kind("slow-socket", _PROCESS, Form.SECONDS, "1"),
        Kind("occupied-ports", _PROCESS, Form.COUNT, "1"),
        Kind("crash-start", _PROCESS, Form.COUNT, str(LARGEST_COUNT)),
        Kind("crash-after", _PROCESS, Form.SECONDS, "1"),
        Kind("ignore-sigterm", _PROCESS),
        Kind("user-vanishes", _PROCESS, Form.SECONDS, "1"),
        _choice("serial", _PROCESS, "queue", "refuse"),
        Kind("handshake-refused", _WIRE),
        Kind("slow-initialize", _WIRE, Form.SECONDS, "1"),
        Kind("split-frames", _WIRE, Form.COUNT, "7"),
        Kind("join-frames", _WIRE, Form.COUNT, "3"),
        _choice("odd-headers", _WIRE, "all", "lower", "upper", "before", "after", "spaces", "nospace"),
        Kind("string-ids", _WIRE),
        Kind("duplicate-replies", _WIRE),
        Kind("late-replies", _WIRE, Form.SECONDS, "1"),
        Kind("mute", _WIRE, Form.TEXT),
        Kind("method-error", _WIRE, Form.TEXT),
        Kind("unknown-method", _WIRE, Form.TEXT),
        Kind("ack-timeout", _WIRE, Form.SECONDS, "0.2"),
        _choice("image-upload", _WIRE, "refused", "failed", "silent"),
        _choice("status", _LOGIN, "1", "2", "3", "4", "5", "6", "7"),
        _choice("whitelist", _LOGIN, "1", "2", "3", "4", "5"),
        Kind("no-models", _LOGIN),
        Kind("token-life", _LOGIN, Form.SECONDS, "2"),
        Kind("nonce-life", _LOGIN, Form.SECONDS, "1"),
        _choice("refresh", _LOGIN, "refused", "kept", "error"),
        Kind("token-login-refused", _LOGIN),
        _choice("login-page", _LOGIN, "captcha", "punish", "sms", "wrong-password", "reinitialised", "refused"),
        _choice("ask-reply", _TURN, "never", "late", "refused", "error"),
        Kind("slow-first", _TURN, Form.SECONDS, "1"),
        Kind("slow-chunks", _TURN, Form.SECONDS, "1"),
        Kind("empty-chunks", _TURN, Form.COUNT, "1"),
        _choice("overwrite", _TURN, "extend", "replace", "each"),
        _choice("full-answer", _TURN, "same", "only", "longer", "different"),
        _choice("session-change", _TURN, "middle", "finish"),
        Kind("no-answer", _TURN),
        Kind("finish-code", _TURN, Form.STATUS, "500 internal error"),
        _choice("quota", _TURN, "daily", "rate", "ack"),
        Kind("missing-finish", _TURN),
        Kind("after-finish", _TURN),
        _choice("disconnect", _TURN, "abort", "close", "half", "early"),
        _choice("crash", _TURN, "middle", "early"),
        _choice("malformed-frame", _TURN, "bare", "length", "nolength", "short", "long", "huge"),
        _choice("malformed-json", _TURN, "syntax", "array", "scalar", "bool-id", "method", "params"),
        Kind("unknown-push", _TURN),
        Kind("other-pushes", _TURN),
        Kind("foreign-pushes", _TURN),
        Kind("unacked-stall", _TURN),
        Kind("one-late", _TURN),
        _choice("stop", _TURN, "ignored", "no-finish", "error"),
        Kind("tool-async", _TURN),
        Kind("tool-approval", _TURN),
        Kind("tool-case", _TURN),
        Kind("tool-unfinished", _TURN),
        Kind("tool-named", _TURN),
        Kind("tool-reads", _TURN, Form.TEXT),
        Kind("fenced-thinking", _TURN),
        Kind("fenced-tools", _TURN),
        Kind("context-usage", _TURN),
        Kind("no-usage-log", _TURN),
    )
}
"""Every fault by name."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """One fault that was asked for: `times` is how often it strikes, None for always."""

    name: str
    value: str
    times: int | None = None


def parse_one(text: str) -> Chosen:
    """`NAME`, `NAME=VALUE`, `NAME*TIMES` or `NAME=VALUE*TIMES`.

    Raises:
        FaultError: there is no such fault, or it takes no such value.
    """
    rest, star, times = text.rpartition("*")
    if not star or not times.isdigit():
        rest, times = text, ""
    name, _, value = rest.partition("=")
    return _chosen(name.strip(), value.strip(), int(times) if times.isascii() and times else None)


def _chosen(name: str, value: str, times: int | None) -> Chosen:
    kind = KINDS.get(name)
    if kind is None:
        raise FaultError(f"there is no fault {name!r}")
    if times is not None and not 1 <= times <= LARGEST_COUNT:
        raise FaultError(f"{name} cannot strike {times} times")
    return Chosen(name, kind.value(value), times)


def parse(text: str) -> list[Chosen]:
    """Faults separated by commas or newlines, or a JSON object of names and values.

    Raises:
        FaultError: see parse_one.
    """
    if text.strip().startswith("{"):
        try:
            given = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as problem:
            raise FaultError("faults that begin with { must be a JSON object") from problem
        return from_json(given)
    return [parse_one(item.strip()) for item in text.replace("\n", ",").split(",") if item.strip()]


def from_json(given: Any) -> list[Chosen]:
    """Faults as a list of texts, or as an object whose values are true, a text, a number or `{value, times}`.

    Raises:
        FaultError: see parse_one.
    """
    if isinstance(given, str):
        return parse(given)
    if isinstance(given, list):
        return [parse_one(str(item)) for item in given]
    if not isinstance(given, dict):
        raise FaultError("faults are a text, a list or an object")
    return [_from_item(name, item) for name, item in given.items()]


def _from_item(name: str, item: Any) -> Chosen:
    times = None
    if isinstance(item, dict):
        times, item = item.get("times"), item.get("value")
        if times is not None and (isinstance(times, bool) or not isinstance(times, int)):
            raise FaultError(f"{name}: times must be a whole number")
    if item is True or item is None:
        item = ""
    if not isinstance(item, str | int | float) or item is False:
        raise FaultError(f"{name} does not take {item!r}")
    return _chosen(name, str(item), times)


class Values(dict[str, str]):
    """Faults that are on, by name, with typed reading."""

    def on(self, name: str) -> bool:
        """Whether the fault is on."""
        return name in self

    def text(self, name: str) -> str:
        """Its value; empty when it is off."""
        return self.get(name, "")

    def seconds(self, name: str) -> float:
        """Its value in seconds; 0 when it is off."""
        return float(self.get(name, "0"))

    def count(self, name: str) -> int:
        """Its value as a count; 0 when it is off."""
        return int(self.get(name, "0"))


class Faults:
    """Which faults are on, in one process."""

    def __init__(self, chosen: Iterable[Chosen] = ()) -> None:
        self._chosen: dict[str, Chosen] = {}
        self.set(chosen)

    def set(self, chosen: Iterable[Chosen]) -> None:
        """Switch faults on; one that is on already takes the new value."""
        for one in chosen:
            self._chosen[one.name] = one

    def clear(self, names: Iterable[str] | None = None) -> None:
        """Switch faults off; None: all of them.

        Raises:
            FaultError: there is no such fault.
        """
        cleared = list(self._chosen if names is None else names)
        for name in cleared:
            if name not in KINDS:
                raise FaultError(f"there is no fault {name!r}")
        for name in cleared:
            self._chosen.pop(name, None)

    def peek(self, name: str) -> str | None:
        """The value of a fault that is on, without counting; None when it is off."""
        chosen = self._chosen.get(name)
        return None if chosen is None else chosen.value

    def take(self, name: str) -> str | None:
        """The value of a fault as it strikes; None when it is off. One that has struck often enough goes off."""
        chosen = self._chosen.get(name)
        if chosen is None:
            return None
        if chosen.times is not None:
            if chosen.times > 1:
                self._chosen[name] = Chosen(name, chosen.value, chosen.times - 1)
            else:
                del self._chosen[name]
        return chosen.value

    def take_if(self, name: str, value: str) -> bool:
        """Strike only where the fault's value is `value`."""
        return self.peek(name) == value and self.take(name) is not None

    def seconds(self, name: str) -> float:
        """As take, in seconds; 0 when it is off."""
        return float(self.take(name) or 0)

    def for_turn(self, own: Iterable[Chosen] = ()) -> Values:
        """The faults of a turn that begins now: those that are on, and its `own`, which go first."""
        values = Values()
        for name in [name for name in self._chosen if KINDS[name].where is Where.TURN]:
            value = self.take(name)
            assert value is not None
            values[name] = value
        values.update({one.name: one.value for one in own})
        return values

    def describe(self) -> dict[str, Any]:
        """What is on, for a person or a test: `{name: {value, times}}`."""
        return {name: {"value": one.value, "times": one.times} for name, one in sorted(self._chosen.items())}
