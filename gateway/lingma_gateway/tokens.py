"""How many tokens a text is, estimated: Lingma reports no usage on the wire (protocol page: high confidence).

Lingma serves models of the Qwen family, whose vocabulary splits a text first at changes of character class: words with
the space before them, single digits, runs of punctuation, line ends. So the estimate is a sum over characters, of a
weight that depends on the class of the character and of the one before it. That makes it exact for text that comes in
pieces, fast (a pass of C code for each weight), and never smaller for more text.

The weights were fitted by least squares to Qwen's vocabulary; `python -m tests.benchmarks.tokens` measures their error.
"""

from collections.abc import Iterable, Iterator
from typing import assert_never

from lingma_gateway.conversation import Media, Message, Part, Reasoning, Text, ToolCall, ToolResult, Turn

_CONTINUATION = bytes(range(0x80, 0xC0))
"""UTF-8: these bytes begin no character."""
_LEAD_BYTES = {
    range(0xC0, 0xE0): b"l",  # Latin letters with marks, in words of ASCII letters
    range(0xC2, 0xC3): b"s",  # signs
    range(0xCE, 0xD0): b"g",  # Greek
    range(0xD0, 0xD5): b"y",  # Cyrillic
    range(0xD5, 0xE0): b"r",  # Hebrew, Arabic
    range(0xE0, 0xE2): b"i",  # India, Thai
    range(0xE2, 0xE3): b"s",
    range(0xE3, 0xE4): b"z",  # kana, Chinese punctuation
    range(0xE4, 0xEA): b"h",  # Chinese
    range(0xEA, 0xEE): b"k",  # Korean
    range(0xEE, 0xEF): b"s",
    range(0xEF, 0xF0): b"f",  # full-width forms
    range(0xF0, 0x100): b"e",  # emoji, rare characters
}
_MILLITOKENS = {
    # A character of a class by itself:
    b"A": 67,
    b"0": 865,
    b"t": 593,
    b"!": 129,
    b"n": 50,
    b"c": 1010,
    b"g": 1030,
    b"y": 291,
    b"r": 488,
    b"i": 487,
    b"s": 1363,
    b"z": 375,
    b"h": 609,
    b"k": 819,
    b"f": 373,
    b"e": 2590,
    # What it adds where it follows one of another class; a word costs at its first letter:
    b" a": 1073,
    b"na": 2119,
    b"!a": 1466,
    b"0a": 1397,
    b"ta": 1050,
    b"ha": 1594,
    b"fa": 3000,
    b"aA": 977,
    b" A": 1025,
    b"nA": 2025,
    b"!A": 1769,
    b"0A": 2327,
    b"tA": 1889,
    b" 0": 1453,
    b"!0": 1167,
    b"n0": 1329,
    b"A0": 1904,
    b"h0": 2013,
    b" !": 371,
    b"n!": 879,
    b"n ": 1543,
    b"! ": 562,
    b"0 ": 558,
    b"0n": 2494,
    b" h": 1135,
    b"zh": 1522,
    b"nh": 1223,
    b"al": 1516,
    b"la": 525,
    b" i": 3000,
    b" y": 958,
}
"""Thousandths of a token, so that sums are exact."""
_BEGINNING = b" "
"""What a text is taken to follow."""
_SHORT = 64
"""Characters up to which looking up each is faster than a pass for each weight."""
_MUCH = 16_384
"""Characters that wait at most until they are counted."""
_MESSAGE_TOKENS = 4
"""The marks around a message that tell its role."""
_TOOL_TOKENS = 8
"""The words that describe a tool beside its own."""


def _ascii_class(code: int) -> bytes:
    character = chr(code)
    if character.isalnum():
        return b"0" if character.isdigit() else b"A" if character.isupper() else b"a"
    if character in "\t\v\f":
        return b"t"
    if character in "\r\n":
        return b"n"
    return b" " if character == " " else b"!" if character.isprintable() else b"c"


def _class_table() -> bytes:
    table = bytearray(b"".join(_ascii_class(code) for code in range(0x80)) + bytes(0x80))
    for lead_bytes, name in _LEAD_BYTES.items():
        for byte in lead_bytes:
            table[byte] = name[0]
    return bytes(table)


_CLASSES = _class_table()
_NAMES = bytes(sorted(set(_CLASSES) - {0}))
_ALONE = {name: weight for name, weight in _MILLITOKENS.items() if len(name) == 1}
_PAIRS = {name: weight for name, weight in _MILLITOKENS.items() if len(name) == 2}
_AFTER = {
    (before, name): _ALONE.get(bytes([name]), 0) + _PAIRS.get(bytes([before, name]), 0)
    for before in _NAMES
    for name in _NAMES
}


class Meter:
    """Counts text while it streams in. However it is cut, the count is that of the whole, and it never falls.

    Text is counted when somebody asks, or when there is much of it: a word alone takes longer than among others.
    """

    __slots__ = ("_any", "_last", "_sum", "_uncounted", "_uncounted_size")

    def __init__(self) -> None:
        self._sum = 0
        self._last = _BEGINNING
        self._any = False
        self._uncounted: list[str] = []
        self._uncounted_size = 0

    @property
    def tokens(self) -> int:
        """Tokens so far, at least 1 once there was any text."""
        self._count()
        return max(int(self._any), (self._sum + 500) // 1000)

    def add(self, text: str) -> None:
        """Count `text` too."""
        self._uncounted.append(text)
        self._uncounted_size += len(text)
        if self._uncounted_size > _MUCH:
            self._count()

    def _count(self) -> None:
        text = "".join(self._uncounted)
        self._uncounted.clear()
        self._uncounted_size = 0
        if text:
            classes = self._last + _classes(text)
            self._sum += _millitokens(classes)
            self._last = classes[-1:]
            self._any = True

    def fitting(self, text: str, limit: int) -> int:
        """How many characters of `text` can be added before there are more than `limit` tokens."""
        self._count()
        classes = self._last + _classes(text)
        low, high = 0, len(text)
        if max(1, (self._sum + _millitokens(classes) + 500) // 1000) <= limit:
            return high
        while low < high:
            middle = (low + high + 1) // 2
            if max(1, (self._sum + _millitokens(classes[: middle + 1]) + 500) // 1000) <= limit:
                low = middle
            else:
                high = middle - 1
        return low


def _classes(text: str) -> bytes:
    """The class of each character."""
    return text.encode("utf-8", "surrogatepass").translate(_CLASSES, _CONTINUATION)


def _millitokens(classes: bytes) -> int:
    """The weight of all characters but the first, which is only what they follow."""
    if len(classes) <= _SHORT:
        return sum(map(_AFTER.__getitem__, zip(classes, classes[1:], strict=False)))
    alone = sum(classes.count(name, 1) * weight for name, weight in _ALONE.items())
    return alone + sum(classes.count(pair) * weight for pair, weight in _PAIRS.items())


def estimate(text: str) -> int:
    """Tokens in `text`, at least 1 for a text that is not empty."""
    meter = Meter()
    meter.add(text)
    return meter.tokens


def request_tokens(turn: Turn) -> int:
    """Tokens of a request: its messages and tools. The one number for usage and for counting before asking.

    What the model thought earlier is not shown to it again; media count as their placeholder.
    """
    messages = sum(_MESSAGE_TOKENS + _tokens(_texts(message)) for message in turn.messages)
    tools = sum(_TOOL_TOKENS + _tokens((tool.name, tool.description, tool.schema, tool.grammar)) for tool in turn.tools)
    schema = turn.output.schema if turn.output is not None else None
    return messages + tools + estimate(schema or "")


def _tokens(texts: Iterable[str]) -> int:
    return estimate("\n".join(text for text in texts if text))


def _texts(message: Message) -> Iterator[str]:
    for part in message.parts:
        yield from _part_texts(part)


def _part_texts(part: Part) -> Iterator[str]:
    match part:
        case Text(text):
            yield text
        case Media(kind):
            yield f"[{kind.value}]"
        case ToolCall(id, name, arguments):
            yield f"{id} {name} {arguments}"
        case ToolResult(id, content):
            yield id
            for each in content:
                yield from _part_texts(each)
        case Reasoning():
            return
        case _:
            assert_never(part)
