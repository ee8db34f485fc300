"""The LSP base protocol inside WebSocket text messages: `Content-Length: N`, a blank line, N bytes of UTF-8 JSON.

Written without a look at the gateway's codec, so that each proves the other. Frames may be split and joined anywhere.
"""

import re
from dataclasses import dataclass

MAX_HEADER_BYTES = 4096
"""A header block is about 24 bytes; this leaves room for further headers."""
MAX_BODY_BYTES = 64 * 2**20
"""Images travel inside params as data URLs."""

_BLANK_LINE = b"\r\n\r\n"
_HEADER_BEGIN = re.compile(rb"[A-Za-z][A-Za-z0-9-]*(?::|\Z)")
_LENGTH = re.compile(rb"[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class Frame:
    """A complete body, not yet parsed."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """Bytes that are no frame. Everything received so far was dropped."""

    reason: str


class FrameDecoder:
    """Feed it what arrives; it gives back what is complete and keeps the rest."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame | Refused]:
        """What `data` completes, in order."""
        self._buffer += data
        items: list[Frame | Refused] = []
        while self._buffer:
            item = self._next()
            if item is None:
                break
            if isinstance(item, Refused):
                self._buffer.clear()
            items.append(item)
        return items

    def _next(self) -> Frame | Refused | None:
        if _HEADER_BEGIN.match(self._buffer) is None:
            return Refused("Unknown message header")
        end = self._buffer.find(_BLANK_LINE, 0, MAX_HEADER_BYTES + len(_BLANK_LINE))
        if end < 0:
            return Refused("message header too long") if len(self._buffer) > MAX_HEADER_BYTES else None
        length = _content_length(bytes(self._buffer[:end]))
        if length is None:
            return Refused("Unknown message header")
        if length > MAX_BODY_BYTES:
            return Refused("message body too long")
        begin = end + len(_BLANK_LINE)
        if len(self._buffer) < begin + length:
            return None
        body = bytes(self._buffer[begin : begin + length])
        del self._buffer[: begin + length]
        return Frame(body)


def _content_length(header: bytes) -> int | None:
    """The one Content-Length of a header block; other headers are passed over, a malformed one spoils the block."""
    length: int | None = None
    for line in header.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if not colon:
            return None
        if name.lower() == b"content-length":
            if length is not None or not _LENGTH.fullmatch(value.strip()):
                return None
            length = int(value)
    return length


def encode(body: bytes) -> bytes:
    """`body` as one frame."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
