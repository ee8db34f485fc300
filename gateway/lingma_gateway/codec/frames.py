"""LSP framing: `Content-Length: N\\r\\n\\r\\n` and N bytes of UTF-8.

Lingma sends such frames inside WebSocket text messages; several may stand in one message and one may span several
(protocol page, section 0). N counts bytes, not characters.
"""

import re

MAX_HEADER_BYTES = 4096
"""A header is some 25 bytes; a longer one is a stream that is not framed at all."""
MAX_BODY_BYTES = 10 * 1024 * 1024
"""The earlier gateway's limit for a message."""

_END = b"\r\n\r\n"
_LENGTH = b"content-length"
_USUAL = re.compile(rb"Content-Length: ([0-9]{1,9})\r\n\r\n")
"""What every header seen so far is: one look takes it, where others are read line by line."""


class FrameError(ValueError):
    """The bytes are not LSP frames; the connection cannot be used any more."""


def encode_frame(body: bytes) -> bytes:
    """One frame around `body`."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class FrameDecoder:
    """Collects bytes and gives back bodies, however the frames were split or joined."""

    def __init__(self, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._held = bytearray()
        """A frame that has begun and not ended."""
        self._wanted = 0
        """Bytes of that frame, as soon as its header says so."""
        self._max_body_bytes = max_body_bytes

    @property
    def pending(self) -> bool:
        """Whether a frame has begun and not ended."""
        return bool(self._held)

    def feed(self, data: bytes) -> list[bytes]:
        """The bodies that `data` completes.

        Raises:
            FrameError: a header without a usable Content-Length, or more bytes than the limits allow.
        """
        if self._held:
            self._held += data
            if len(self._held) < self._wanted:
                return []
            data = bytes(self._held)
            self._held.clear()
        start, size = 0, len(data)
        usual = _USUAL.match(data)
        if usual is not None and usual.end() + int(usual[1]) == size <= self._max_body_bytes:
            return [data[usual.end() :]]  # one whole frame, as nearly every message is
        bodies: list[bytes] = []
        while start < size:
            bounds = self._bounds(data, start)
            if bounds is None:
                self._held += data[start:]
                break
            begin, start = bounds
            bodies.append(data[begin:start])
        return bodies

    def _bounds(self, data: bytes, start: int) -> tuple[int, int] | None:
        """Where the body of the frame at `start` begins and ends; None as long as it is not all there."""
        usual = _USUAL.match(data, start)
        if usual is not None:
            begin, length = usual.end(), int(usual[1])
        else:
            end = data.find(_END, start)
            # The last three bytes may already belong to the end that is being waited for.
            if (end if end >= 0 else len(data) - len(_END) + 1) - start > MAX_HEADER_BYTES:
                raise FrameError(f"no end of a frame's header within {MAX_HEADER_BYTES} bytes")
            if end < 0:
                self._wanted = 0
                return None
            begin, length = end + len(_END), _content_length(data[start:end])
        if length > self._max_body_bytes:
            raise FrameError(f"a frame of {length} bytes exceeds the limit of {self._max_body_bytes}")
        finish = begin + length
        if finish > len(data):
            self._wanted = finish - start
            return None
        return begin, finish


def _content_length(header: bytes) -> int:
    """A header's Content-Length, which may stand among other fields, in any case."""
    for line in header.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == _LENGTH:
            digits = value.strip()
            if not digits.isdigit():
                raise FrameError("a frame's Content-Length is no number")
            return int(digits)
    raise FrameError("a frame's header has no Content-Length")
