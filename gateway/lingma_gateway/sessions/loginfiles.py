"""Lingma's login on disk: `cache/id` and `cache/user`.

`cache/user` is base64 of AES-128-CBC over JSON; key and IV are the first 16 characters of `cache/id` (protocol page,
section 2: high confidence). Read only to learn whose login it is and when it expires; tokens in it go no further.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

_KEY_CHARS = 16
_BLOCK_BITS = 128


class Undecipherable(ValueError):
    """`cache/user` does not belong to this `cache/id`, or its form has changed."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose login it is: what of `cache/user` may be shown. Texts are empty where the file does not say."""

    uid: str
    name: str
    user_type: str
    organization_id: str
    expires_ms: int | None
    """Milliseconds since 1970, or None where the file does not say."""


def holder(files: Mapping[str, bytes]) -> Holder:
    """Whose login `user` is.

    Raises:
        Undecipherable: `user` cannot be read with `id`.
    """
    user = _decrypted(files)

    def text(name: str) -> str:
        value = user.get(name)
        return value if isinstance(value, str) else ""

    expires = user.get("expire_time")
    return Holder(
        uid=text("uid"),
        name=text("name"),
        user_type=text("user_type"),
        organization_id=text("organization_id"),
        expires_ms=expires if isinstance(expires, int) and not isinstance(expires, bool) else None,
    )


def expire_time_ms(files: Mapping[str, bytes]) -> int | None:
    """When the login ends (milliseconds since 1970), or None where the files do not say.

    Raises:
        Undecipherable: `user` cannot be read with `id`.
    """
    return holder(files).expires_ms


def _decrypted(files: Mapping[str, bytes]) -> dict[str, Any]:
    key = files["id"].strip()[:_KEY_CHARS]
    if len(key) != _KEY_CHARS:
        raise Undecipherable("cache/id is shorter than 16 characters")
    try:
        decryptor = Cipher(algorithms.AES(key), modes.CBC(key)).decryptor()
        padded = decryptor.update(base64.b64decode(files["user"].strip(), validate=True)) + decryptor.finalize()
        unpadder = PKCS7(_BLOCK_BITS).unpadder()
        user = json.loads(unpadder.update(padded) + unpadder.finalize())
    except (binascii.Error, ValueError) as error:
        raise Undecipherable("cache/user does not belong to cache/id") from error
    return user if isinstance(user, dict) else {}
