"""The file of a capture: JSON lines `{"time", "direction", "connection", "message"}`, as the simulator records them.

`direction` is Lingma's: `in` is what a client sent, `out` what Lingma sent.
"""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TextIO

from lingma_contract.masking import Masker
from lingma_gateway.codec.frames import FrameDecoder, FrameError

MAX_FRAME_BYTES = 64 * 2**20
"""Images travel inside messages; the tap must not be what fails."""

Direction = Literal["in", "out"]


def _now() -> datetime:
    return datetime.now(UTC)


def opened(path: Path) -> TextIO:
    """A new file that only its owner can read.

    Raises:
        FileExistsError: two captures must not mix.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8")


class Recording:
    """Everything that is fed to it ends up in the file, masked, or is counted as undecoded. Closes the file."""

    def __init__(self, file: TextIO, masker: Masker, now: Callable[[], datetime] = _now) -> None:
        self._file = file
        self._masker = masker
        self._now = now
        self._decoders: dict[tuple[int, Direction], FrameDecoder] = {}
        self.frames = 0
        """Messages written."""
        self.undecoded = 0
        """Pieces that were no frame or no JSON object, of which nothing is written."""

    def feed(self, direction: Direction, connection: int, data: str | bytes) -> None:
        """Take what one WebSocket message carried; frames may be split and joined anywhere."""
        decoder = self._decoders.setdefault((connection, direction), FrameDecoder(MAX_FRAME_BYTES))
        try:
            bodies = decoder.feed(data.encode() if isinstance(data, str) else data)
        except FrameError:
            # Nothing in the stream says where the next frame begins; the next message very likely begins with one.
            del self._decoders[connection, direction]
            self.undecoded += 1
            return
        for body in bodies:
            self._write(direction, connection, body)

    def end(self, connection: int) -> None:
        """The connection is closed; a frame that it broke off is counted as undecoded."""
        for direction in ("in", "out"):
            decoder = self._decoders.pop((connection, direction), None)
            if decoder is not None and decoder.pending:
                self.undecoded += 1

    def _write(self, direction: Direction, connection: int, body: bytes) -> None:
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            self.undecoded += 1
            return
        line: dict[str, Any] = {
            "time": self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "direction": direction,
            "connection": connection,
            "message": self._masker.message(message),
        }
        # Escaped, because what Lingma cuts in the middle of a character must not break the file.
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        self.frames += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._file.close()
