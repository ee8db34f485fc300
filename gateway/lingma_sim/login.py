"""Lingma's login on disk: `cache/user`, encrypted with the machine id of `cache/id`. Bytes in, bytes out.

Format: base64 of AES-128-CBC with PKCS7, key and IV both the first 16 characters of `cache/id`, around a JSON object
(protocol page, section 2: high confidence for the cipher and its binding; the fields' types are assumed).
"""

import base64
import binascii
import json
import secrets
import uuid
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

KEY_BYTES = 16
BLOCK_BITS = 128
DEFAULT_LIFE_SECONDS = 60 * 24 * 3600
"""A token lives about 60 days (protocol page, section 2)."""

_NAMESPACE = uuid.UUID("6f1d7e0a-9a44-4c1c-8d0b-1f6d3c1f3a01")


class Status(IntEnum):
    """`status` of auth/status and auth/report."""

    NOT_LOGIN = 1
    LOGIN = 2
    EXPIRED = 3
    ERROR = 4
    NETWORK_ERROR = 5
    IP_BANNED = 6
    APP_DISABLED = 7


class Whitelist(IntEnum):
    """`whitelist` of auth/status and auth/report. Usable is status 2 with whitelist 3."""

    NOT_WHITELIST = 1
    WAIT_PASS = 2
    PASS = 3
    UNKNOWN = 4
    NO_LICENCE = 5


class LoginUnreadable(ValueError):
    """`cache/user` does not decrypt with `cache/id`."""


@dataclass(frozen=True, slots=True, repr=False)
class Account:
    """Who `cache/user` says is logged in. Not shown when printed: it holds tokens."""

    name: str
    uid: str
    aid: str
    organization_id: str
    security_oauth_token: str
    refresh_token: str
    expire_time: int
    """Milliseconds since 1970."""
    user_type: str

    def status(self, now: float) -> Status:
        """LOGIN, or EXPIRED once `now` (seconds since 1970) is past the expiry."""
        return Status.EXPIRED if self.expire_time <= now * 1000 else Status.LOGIN


def decrypt(machine_id: bytes, user: bytes) -> Account:
    """The account in the content of `cache/user`.

    Raises:
        LoginUnreadable: it was not encrypted with this machine id, or is no such file at all.
    """
    try:
        fields = json.loads(
            _unpadded(_cipher(machine_id, base64.b64decode(user.strip(), validate=True), encrypt=False))
        )
    except (ValueError, binascii.Error) as problem:
        raise LoginUnreadable("cache/user does not fit cache/id") from problem
    if not isinstance(fields, dict):
        raise LoginUnreadable("cache/user holds no object")
    expire_time = fields.get("expire_time")
    if not isinstance(expire_time, int) or not isinstance(fields.get("uid"), str):
        raise LoginUnreadable("cache/user lacks uid or expire_time")

    def text(name: str) -> str:
        value = fields.get(name)
        return value if isinstance(value, str) else ""

    return Account(
        name=text("name"),
        uid=text("uid"),
        aid=text("aid"),
        organization_id=text("organization_id"),
        security_oauth_token=text("security_oauth_token"),
        refresh_token=text("refresh_token"),
        expire_time=expire_time,
        user_type=text("user_type"),
    )


def encrypt(machine_id: bytes, fields: dict[str, Any]) -> bytes:
    """The content of `cache/user` for `fields` on the machine `machine_id`."""
    return base64.b64encode(_cipher(machine_id, _padded(json.dumps(fields).encode()), encrypt=True))


def machine_id_of(uid: str) -> str:
    """The machine id of a simulated account: the same for the same uid, so that bundles of it can be compared."""
    return str(uuid.uuid5(_NAMESPACE, uid))


def new_login(
    uid: str, now: float, expires_in: float = DEFAULT_LIFE_SECONDS, organization_id: str = ""
) -> dict[str, Any]:
    """The fields of a fresh login of `uid` that ends `expires_in` seconds from `now`. Its tokens are random."""
    return {
        "name": uid,
        "uid": uid,
        "aid": f"aid-{uid}",
        "organization_id": organization_id,
        "security_oauth_token": f"pt-{secrets.token_hex(24)}",
        "refresh_token": f"rt-{secrets.token_hex(24)}",
        "expire_time": int((now + expires_in) * 1000),
        "key": secrets.token_hex(16),
        "encrypt_user_info": secrets.token_hex(32),
        "user_type": "personal_standard",
    }


def cache_files(uid: str, now: float, expires_in: float, *, mismatched: bool = False) -> dict[str, bytes]:
    """The files of Lingma's cache folder for a fresh login; `mismatched` encrypts for another machine."""
    machine_id = machine_id_of(uid).encode()
    encrypted_for = machine_id_of(f"{uid}\0another machine").encode() if mismatched else machine_id
    return {
        "id": machine_id,
        "user": encrypt(encrypted_for, new_login(uid, now, expires_in)),
        "config.json": b'{"regionEnv":"cn","endpoint":"","http_proxy":""}',
    }


def _cipher(machine_id: bytes, data: bytes, *, encrypt: bool) -> bytes:
    # Imported late: a start without a login does not need it, and it is the slowest import of all.
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    key = machine_id.strip()[:KEY_BYTES]
    if len(key) != KEY_BYTES:
        raise ValueError("cache/id is shorter than a key")
    cipher = Cipher(algorithms.AES128(key), modes.CBC(key))
    context = cipher.encryptor() if encrypt else cipher.decryptor()
    return context.update(data) + context.finalize()


def _padded(data: bytes) -> bytes:
    from cryptography.hazmat.primitives.padding import PKCS7

    padder = PKCS7(BLOCK_BITS).padder()
    return padder.update(data) + padder.finalize()


def _unpadded(data: bytes) -> bytes:
    from cryptography.hazmat.primitives.padding import PKCS7

    unpadder = PKCS7(BLOCK_BITS).unpadder()
    return unpadder.update(data) + unpadder.finalize()
