"""LSP framing: `Content-Length: N\\r\\n\\r\\n` and N bytes of UTF-8.

Lingma sends such frames inside WebSocket text messages; several may stand in one message and one may span several
(protocol page, section 0). N counts bytes, not characters.
"""

MAX_HEADER_BYTES = 4096
"""A header is some 25 bytes; a longer one is a stream that is not framed at all."""
MAX_BODY_BYTES = 10 * 1024 * 1024
"""The earlier gateway's limit for a message."""

_END = b"\r\n\r\n"
_LENGTH = b"content-length"


class FrameError(ValueError):
    """The bytes are not LSP frames; the connection cannot be used any more."""


def encode_frame(body: bytes) -> bytes:
    """One frame around `body`."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class FrameDecoder:
    """Collects bytes and gives back bodies, however the frames were split or joined."""

    def __init__(self, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._buffer = bytearray()
        self._needed: int | None = None
        self._max_body_bytes = max_body_bytes

    @property
    def pending(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._needed is not None or bool(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """The bodies that `data` completes.

        Raises:
            FrameError: a header without a usable Content-Length, or more bytes than the limits allow.
        """
        self._buffer += data
        bodies: list[bytes] = []
        while (body := self._next()) is not None:
            bodies.append(body)
        return bodies

    def _next(self) -> bytes | None:
        if self._needed is None:
            end = self._buffer.find(_END)
            # The last three bytes may already belong to the end that is being waited for.
            if (end if end >= 0 else len(self._buffer) - len(_END) + 1) > MAX_HEADER_BYTES:
                raise FrameError(f"no end of a frame's header within {MAX_HEADER_BYTES} bytes")
            if end < 0:
                return None
            self._needed = _content_length(bytes(self._buffer[:end]), self._max_body_bytes)
            del self._buffer[: end + len(_END)]
        if len(self._buffer) < self._needed:
            return None
        body = bytes(self._buffer[: self._needed])
        del self._buffer[: self._needed]
        self._needed = None
        return body


def _content_length(header: bytes, limit: int) -> int:
    for line in header.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == _LENGTH:
            digits = value.strip()
            if not digits.isdigit():
                raise FrameError("a frame's Content-Length is no number")
            length = int(digits)
            if length > limit:
                raise FrameError(f"a frame of {length} bytes exceeds the limit of {limit}")
            return length
    raise FrameError("a frame's header has no Content-Length")
