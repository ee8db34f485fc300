"""Lingma's login on disk: `cache/id` and `cache/user`.

`cache/user` is base64 of AES-128-CBC over JSON; key and IV are the first 16 characters of `cache/id` (protocol page,
section 2: high confidence). Read only to learn when the login expires; nothing of it is kept or shown.
"""

import base64
import binascii
import json
from collections.abc import Mapping

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

_KEY_CHARS = 16
_BLOCK_BITS = 128


class Undecipherable(ValueError):
    """`cache/user` does not belong to this `cache/id`, or its form has changed."""


def expire_time_ms(files: Mapping[str, bytes]) -> int | None:
    """When the login ends (milliseconds since 1970), or None where the files do not say.

    Raises:
        Undecipherable: `user` cannot be read with `id`.
    """
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
    value = user.get("expire_time") if isinstance(user, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
