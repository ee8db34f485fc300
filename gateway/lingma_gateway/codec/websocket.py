"""The plain case of WebSocket frames, and nothing else: a whole message in one frame that is not masked.

That is what an answer is made of, token by token, and what `websockets` takes eight times as long for. Whatever else a
server may send (control frames, fragments, frames that are too long or wrong) is handed on as it came, for the library
to act on: there is one authority on the protocol. RFC 6455, section 5.2.
"""

from dataclasses import dataclass

_TEXT, _BINARY = 0x81, 0x82
"""First bytes of a message's only frame; the opcode of a fragment or a control frame is another."""
_FINAL, _CONTROL = 0x80, 0x08
_KNOWN = frozenset({0x00, 0x01, 0x02, 0x80, _TEXT, _BINARY, 0x88, 0x89, 0x8A})
"""First bytes of all frames that a server may send here: fragments, whole messages, close, ping and pong."""
_LENGTH_IN_2, _LENGTH_IN_8 = 126, 127
_MASKED = 0x80
"""In the second byte. A server does not mask (RFC 6455, section 5.1)."""
_KEY_BYTES = 4


@dataclass(frozen=True, slots=True)
class Other:
    """Bytes that are no plain message: a whole frame, or all that comes from a wrong frame on."""

    raw: bytes


class FrameSplitter:
    """Splits what a server sends into frames, however the bytes were cut."""

    def __init__(self, max_bytes: int) -> None:
        """A frame that says it is longer than `max_bytes`, or is wrong, is not waited for: the library refuses it."""
        self._max_bytes = max_bytes
        self._held = bytearray()
        """A frame that has begun and not ended."""
        self._wanted = 0
        """Bytes of that frame, as soon as its head says so."""
        self._in_fragments = False
        self._astray = False

    def feed(self, data: bytes) -> list[bytes | Other]:
        """The payloads of plain messages that `data` completes, and what is none, in order."""
        if self._astray:
            return [Other(data)]
        if self._held:
            self._held += data
            if len(self._held) < self._wanted:
                return []
            data = bytes(self._held)
            self._held.clear()
        found: list[bytes | Other] = []
        start, size = 0, len(data)
        while start < size:
            first = data[start]
            masked = start + 1 < size and data[start + 1] & _MASKED
            begin, end = _payload(data, start, size)
            if masked or first not in _KNOWN or end - begin > self._max_bytes:
                self._astray = True
                found.append(Other(data[start:]))
                break
            if end > size:
                self._held += data[start:]
                self._wanted = end - start
                break
            if (first == _TEXT or first == _BINARY) and not self._in_fragments:
                found.append(data[begin:end])
            else:
                if not first & _CONTROL:
                    self._in_fragments = not first & _FINAL
                found.append(Other(data[start:end]))
            start = end
        return found


def _payload(data: bytes, start: int, size: int) -> tuple[int, int]:
    """Where the payload of the frame at `start` begins and ends; beyond `size` what is not there yet."""
    begin = start + 2
    if begin > size:
        return begin, begin
    length = data[start + 1] & ~_MASKED
    if length < _LENGTH_IN_2:
        return begin, begin + length
    width = 2 if length == _LENGTH_IN_2 else 8
    if begin + width > size:
        return begin + width, begin + width
    return begin + width, begin + width + int.from_bytes(data[begin : begin + width], "big")


def masked_text(payload: bytes, key: bytes) -> bytes:
    """A text message of a client. `key`: four bytes that nobody can guess (RFC 6455, section 5.3)."""
    length = len(payload)
    if length < _LENGTH_IN_2:
        head = bytes((_TEXT, _MASKED | length))
    elif length < 1 << 16:
        head = bytes((_TEXT, _MASKED | _LENGTH_IN_2)) + length.to_bytes(2, "big")
    else:
        head = bytes((_TEXT, _MASKED | _LENGTH_IN_8)) + length.to_bytes(8, "big")
    stretched = (key * (length // _KEY_BYTES + 1))[:length]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(stretched, "big")
    return head + key + masked.to_bytes(length, "big")
