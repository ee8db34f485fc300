"""What the processes of the benchmark agree on: an event's text, the question that orders events, WebSocket frames.

Written without a look at the gateway's codec and without the `websockets` package: it is what the gateway is measured
against.
"""

import base64
import hashlib
import re
import time
from dataclasses import dataclass

HOST = "127.0.0.1"
STAMP = re.compile(rb"@(\d{12})")
"""Each event's text is the machine's monotonic clock, in microseconds, when it was pushed."""
TEXT = "@%012d "
"""The text of an event: a few tokens, as a usual chunk is."""
END = b"[DONE]"
_ORDER = re.compile(r"benchmark events=(\d+) pace_us=(\d+) together=(\d+)")
_UPGRADE_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def now_us() -> int:
    """The clock that all processes of a machine share, in the twelve digits of a stamp."""
    return time.monotonic_ns() // 1000 % 10**12


@dataclass(frozen=True, slots=True)
class Order:
    """What a question asks of the upstream."""

    events: int
    pace_us: int
    """Between two events of a stream; 0: as fast as they are read."""
    together: int
    """How many questions must have come before the first of them is answered."""

    def question(self) -> str:
        """The text that orders this."""
        return f"benchmark events={self.events} pace_us={self.pace_us} together={self.together}"

    @staticmethod
    def read(question: str) -> "Order":
        """The order in a question.

        Raises:
            ValueError: there is none.
        """
        found = _ORDER.search(question)
        if found is None:
            raise ValueError("a question without an order")
        return Order(*map(int, found.groups()))


def accept_key(key: bytes) -> bytes:
    """The server's proof that it understood the upgrade (RFC 6455, 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key + _UPGRADE_GUID).digest())


def text_frame(payload: bytes) -> bytes:
    """An unmasked text frame: a server's."""
    length = len(payload)
    if length < 126:
        return b"\x81" + length.to_bytes(1, "big") + payload
    if length < 65536:
        return b"\x81\x7e" + length.to_bytes(2, "big") + payload
    return b"\x81\x7f" + length.to_bytes(8, "big") + payload


def masked_frame(payload: bytes) -> bytes:
    """A client's text frame, masked with zeros: the cheapest one that is valid."""
    length = len(payload)
    if length < 126:
        head = bytes((0x81, 0x80 | length))
    elif length < 65536:
        head = b"\x81\xfe" + length.to_bytes(2, "big")
    else:
        head = b"\x81\xff" + length.to_bytes(8, "big")
    return head + b"\0\0\0\0" + payload


class Frames:
    """Payloads of WebSocket frames, however the bytes were split; fragments do not occur in the benchmark."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that `data` completes."""
        data = self._rest + data if self._rest else data
        payloads: list[bytes] = []
        start, size = 0, len(data)
        while start + 2 <= size:
            length, begin = data[start + 1] & 0x7F, start + 2
            if length == 126:
                length, begin = int.from_bytes(data[begin : begin + 2], "big"), begin + 2
            elif length == 127:
                length, begin = int.from_bytes(data[begin : begin + 8], "big"), begin + 8
            mask = b""
            if data[start + 1] & 0x80:
                mask, begin = data[begin : begin + 4], begin + 4
            if begin + length > size:
                break
            payload = data[begin : begin + length]
            payloads.append(_unmasked(payload, mask) if mask.strip(b"\0") else payload)
            start = begin + length
        self._rest = data[start:]
        return payloads


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    length = len(payload)
    key = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(length, "big")
