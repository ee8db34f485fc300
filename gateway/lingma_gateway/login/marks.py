"""Marks of credentials: they tell one from another and cannot be turned back, slow to compute and salted."""

import hashlib
import json
import secrets
from collections.abc import Sequence
from pathlib import Path

from lingma_gateway.sessions import files

SALT_BYTES = 16


class Marks:
    """With one salt. A mark is computed once for each credential."""

    def __init__(self, salt: bytes) -> None:
        self.salt = salt
        self._known: dict[tuple[str, ...], str] = {}

    def of(self, credential: Sequence[str]) -> str:
        """The mark of a credential."""
        key = tuple(credential)
        if key not in self._known:
            text = json.dumps(key).encode()
            self._known[key] = hashlib.scrypt(text, salt=self.salt, n=2**14, r=8, p=1, dklen=16).hex()
        return self._known[key]


def new_salt() -> bytes:
    """A salt that nobody has seen."""
    return secrets.token_bytes(SALT_BYTES)


def kept_salt(path: Path) -> bytes:
    """The salt in the file, which is made when it is missing or broken.

    Raises:
        OSError: it cannot be written.
    """
    try:
        salt = path.read_bytes()
    except FileNotFoundError:
        salt = b""
    if len(salt) != SALT_BYTES:
        salt = new_salt()
        files.replace(path, salt)
    return salt
