"""Client API keys: which header carries one, and which id it has.

Used by the router, and by a gateway that runs alone.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def presented(authorization: str | None, x_api_key: str | None) -> str | None:
    """The key of a request: `Authorization: Bearer KEY`, else `x-api-key: KEY`."""
    if authorization is not None:
        scheme, _, credentials = authorization.strip().partition(" ")
        if scheme.lower() == "bearer" and credentials.strip():
            return credentials.strip()
    if x_api_key is not None and x_api_key.strip():
        return x_api_key.strip()
    return None


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """The accepted keys: (id, SHA-256 of the key). The key itself is not kept."""

    entries: tuple[tuple[str, bytes], ...]

    @classmethod
    def from_setting(cls, text: str) -> "ApiKeys":
        """Keys of the setting API_KEYS: comma-separated, each `KEY` (its id is then `key-1`, `key-2`, …) or `ID=KEY`.

        Raises:
            ValueError: an id is no id, or stands twice; the message names the position, never the key.
        """
        named: dict[str, str] = {}
        for position, item in enumerate((part.strip() for part in text.split(",")), start=1):
            if not item:
                continue
            key_id, equals, key = item.partition("=")
            # base64 padding is no separator: "c2VjcmV0==" is a key, not the id "c2VjcmV0".
            if not equals or not key.strip("="):
                key_id, key = f"key-{position}", item
            if not _ID.fullmatch(key_id):
                raise ValueError(
                    f"API_KEYS: entry {position} has no valid id before '=' (letters, digits, '.', '_', '-')"
                )
            if key_id in named:
                raise ValueError(f"API_KEYS: entry {position} repeats the id {key_id!r}")
            named[key_id] = key
        return cls.from_mapping({key_id: key.encode() for key_id, key in named.items()})

    @classmethod
    def from_mapping(cls, files: Mapping[str, bytes]) -> "ApiKeys":
        """Keys of a mounted Secret: the file's name is the id, its content the key. Empty files are left out."""
        return cls(
            tuple(
                (key_id, hashlib.sha256(content.strip()).digest())
                for key_id, content in sorted(files.items())
                if content.strip()
            )
        )

    def __bool__(self) -> bool:
        return bool(self.entries)

    def identify(self, key: str | None) -> str | None:
        """The id of `key`, or None. Takes the same time whichever entry fits."""
        if key is None:
            return None
        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
        found: str | None = None
        for key_id, expected in self.entries:
            if hmac.compare_digest(digest, expected):
                found = key_id
        return found
