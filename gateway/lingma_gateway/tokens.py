"""How many tokens a text is, estimated: Lingma reports no usage on the wire (protocol page: high confidence).

Lingma serves models of the Qwen family, whose vocabulary splits a text first at changes of character class: words with
the space before them, single digits, runs of punctuation, line ends. So the estimate is a sum over characters, of a
weight that depends on the class of the character and of the one before it. That makes it exact for text that comes in
pieces, fast (a few passes of C code), and never smaller for more text.

The weights were fitted by least squares to Qwen's vocabulary; `python -m tests.benchmarks.tokens` measures their error.
"""

from collections.abc import Iterator
from typing import assert_never

from lingma_gateway.conversation import Media, Part, Reasoning, Text, ToolCall, ToolResult, Turn

_CONTINUATION = bytes(range(0x80, 0xC0))
"""UTF-8: these bytes begin no character."""
_CLASSES = b" aA0nt!lgyiszhfe"
"""Sixteen, so that two of them are a byte: space, letters, digits, line ends, tabs, punctuation, and these."""
_LEAD_BYTES = {
    range(0xC0, 0xE0): b"l",  # Latin letters with marks, in words of ASCII letters
    range(0xC2, 0xC3): b"s",  # signs
    range(0xCE, 0xD0): b"g",  # Greek
    range(0xD0, 0xD5): b"y",  # Cyrillic
    range(0xD5, 0xE0): b"i",  # Hebrew, Arabic
    range(0xE0, 0xE2): b"i",  # India, Thai
    range(0xE2, 0xE3): b"s",
    range(0xE3, 0xE4): b"z",  # kana, Chinese punctuation
    range(0xE4, 0xEA): b"h",  # Chinese
    range(0xEA, 0xEE): b"g",  # Korean, about a token a character as in Greek
    range(0xEE, 0xEF): b"s",
    range(0xEF, 0xF0): b"f",  # full-width forms
    range(0xF0, 0x100): b"e",  # emoji, rare characters
}
_UNITS_PER_TOKEN = 64
_UNITS = {
    # A character of a class by itself:
    **{b"A": 4, b"0": 55, b"t": 38, b"!": 8, b"n": 3, b"g": 59, b"y": 19, b"i": 37, b"s": 83},
    **{b"z": 24, b"h": 39, b"f": 25, b"e": 184},
    # What it adds where it follows one of another class; a word costs at its first letter:
    **{b" a": 69, b"na": 136, b"!a": 94, b"0a": 89, b"ta": 68, b"ha": 97, b"fa": 186, b"la": 35},
    **{b"aA": 62, b" A": 65, b"nA": 130, b"!A": 113, b"0A": 148, b"tA": 121},
    **{b" 0": 93, b"!0": 74, b"n0": 86, b"A0": 122, b"h0": 128},
    **{b" !": 24, b"n!": 57, b"n ": 99, b"! ": 36, b"0 ": 35, b"0n": 157},
    **{b" h": 72, b"zh": 100, b"nh": 78, b"al": 94, b" y": 61},
}
"""Of a token; whole numbers, so that sums are exact, and sums of two less than 256."""
_BEGINNING = bytes([_CLASSES.index(b" ")])
"""What a text is taken to follow."""
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
    return b" " if character == " " else b"!" if character.isprintable() else b"g"


def _class_table() -> bytes:
    """From the byte that begins a character to the position of its class."""
    names = [_ascii_class(code) for code in range(0x80)] + [b" "] * 0x80
    for lead_bytes, name in _LEAD_BYTES.items():
        for byte in lead_bytes:
            names[byte] = name
    return bytes(_CLASSES.index(name) for name in names)


def _unit_table() -> bytes:
    """From the position of a class, times sixteen, and that of the class after it to the weight of the second."""
    pairs = (bytes([before, name]) for before in _CLASSES for name in _CLASSES)
    return bytes(_UNITS.get(pair[1:], 0) + _UNITS.get(pair, 0) for pair in pairs)


_CLASS_OF = _class_table()
_WEIGHT_OF = _unit_table()


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
        return max(int(self._any), _tokens_of(self._sum))

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
            self._sum += _units(classes)
            self._last = classes[-1:]
            self._any = True

    def fitting(self, text: str, limit: int) -> int:
        """How many characters of `text` can be added before there are more than `limit` tokens."""
        self._count()
        classes = self._last + _classes(text)
        low, high = 0, len(text)
        if max(1, _tokens_of(self._sum + _units(classes))) <= limit:
            return high
        while low < high:
            middle = (low + high + 1) // 2
            if max(1, _tokens_of(self._sum + _units(classes[: middle + 1]))) <= limit:
                low = middle
            else:
                high = middle - 1
        return low


def _classes(text: str) -> bytes:
    """The class of each character, by its position."""
    return text.encode("utf-8", "surrogatepass").translate(_CLASS_OF, _CONTINUATION)


def _units(classes: bytes) -> int:
    """The weight of all characters but the first, which is only what they follow."""
    # As one number, all pairs are made at once: half a byte further is where a class meets the one after it.
    number = int.from_bytes(classes)
    pairs = (number | number >> 4).to_bytes(len(classes))
    return sum(pairs[1:].translate(_WEIGHT_OF))


def _tokens_of(units: int) -> int:
    return (units + _UNITS_PER_TOKEN // 2) // _UNITS_PER_TOKEN


def estimate(text: str) -> int:
    """Tokens in `text`, at least 1 for a text that is not empty."""
    meter = Meter()
    meter.add(text)
    return meter.tokens


def request_tokens(turn: Turn) -> int:
    """Tokens of a request: its messages and tools. The one number for usage and for counting before asking.

    What the model thought earlier is not shown to it again; media count as their placeholder.
    """
    texts = [text for message in turn.messages for part in message.parts for text in _part_texts(part)]
    for tool in turn.tools:
        texts += (tool.name, tool.description, tool.schema, tool.grammar)
    if turn.output is not None and turn.output.schema is not None:
        texts.append(turn.output.schema)
    around = len(turn.messages) * _MESSAGE_TOKENS + len(turn.tools) * _TOOL_TOKENS
    return around + estimate("\n".join(text for text in texts if text))


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
