"""Streams as they were agreed, byte for byte: `golden/DIALECT/SHAPE.sse`. UPDATE_GOLDEN=1 writes them anew."""

import os
from pathlib import Path

_FOLDER = Path(__file__).parent / "golden"


def agree(dialect: str, shape: str, sent: bytes) -> None:
    """Fails unless `sent` is what was agreed."""
    path = _FOLDER / dialect / f"{shape}.sse"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sent)
    assert sent.decode() == path.read_bytes().decode()
