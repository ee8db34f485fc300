"""Ids that name their account, and the affinity token.

`prefix + base64url(account hash, 6 bytes | nonce, 7 bytes | MAC, 8 bytes)`: 28 characters after the prefix, so that
every id is `[A-Za-z0-9_-]` and at most 37 of the 40 characters that clients keep. The MAC covers prefix, account,
nonce and the id of the API key, by a key that only the account's gateway and the router can derive: a replica of the
router places an id without a store, and no client can make one up or use that of another key.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

ACCOUNT_HASH_BYTES = 6
NONCE_BYTES = 7
MAC_BYTES = 8
_BODY_CHARS = (ACCOUNT_HASH_BYTES + NONCE_BYTES + MAC_BYTES) * 4 // 3
# Checked here because the decoder takes "+" and "/" too, which would be a second spelling of an id.
_BODY = re.compile(rf"[A-Za-z0-9_-]{{{_BODY_CHARS}}}")


class Kind(StrEnum):
    """What an id is of; the value is its prefix."""

    CHAT_COMPLETION = "chatcmpl-"
    MESSAGE = "msg_"
    RESPONSE = "resp_"
    CALL = "call_"
    TOOL_USE = "toolu_"
    AFFINITY = "aff_"


@dataclass(frozen=True, slots=True)
class Parsed:
    """An id taken apart; nothing is proved before `verify`."""

    kind: Kind
    account_hash: bytes
    nonce: bytes
    mac: bytes


def account_hash(account_uid: str) -> bytes:
    """The 6 bytes by which ids name an account."""
    return hashlib.sha256(f"lingma.dev/account/{account_uid}".encode()).digest()[:ACCOUNT_HASH_BYTES]


def _mac(key: bytes, kind: Kind, named: bytes, nonce: bytes, key_id: str) -> bytes:
    message = kind.value.encode() + b"\0" + named + nonce + key_id.encode()
    return hmac.digest(key, message, "sha256")[:MAC_BYTES]


def mint(
    kind: Kind, account_uid: str, key: bytes, key_id: str, random: Callable[[int], bytes] = secrets.token_bytes
) -> str:
    """A new id of `kind` for the client whose API key is named `key_id`, signed with the account's `key`."""
    named = account_hash(account_uid)
    nonce = random(NONCE_BYTES)
    body = named + nonce + _mac(key, kind, named, nonce, key_id)
    return kind.value + base64.urlsafe_b64encode(body).decode()


def parse(value: str) -> Parsed | None:
    """The parts of an id of ours, or None for anything else."""
    for kind in Kind:
        if value.startswith(kind.value) and _BODY.fullmatch(value, len(kind.value)):
            body = base64.urlsafe_b64decode(value[len(kind.value) :])
            cut = ACCOUNT_HASH_BYTES + NONCE_BYTES
            return Parsed(kind, body[:ACCOUNT_HASH_BYTES], body[ACCOUNT_HASH_BYTES:cut], body[cut:])
    return None


def verify(parsed: Parsed, keys: Iterable[bytes], key_id: str) -> bool:
    """Whether one of the account's keys (current, previous) signed this id for this API key."""
    return any(
        hmac.compare_digest(parsed.mac, _mac(key, parsed.kind, parsed.account_hash, parsed.nonce, key_id))
        for key in keys
    )


_ITEM = re.compile(rf"[a-z]+_(?P<body>[A-Za-z0-9_-]{{{_BODY_CHARS}}})_(?P<input>i?)(?P<position>[0-9]{{1,5}})")


@dataclass(frozen=True, slots=True)
class ItemPlace:
    """Where an item of a response stands."""

    response_id: str
    position: int
    of_input: bool = False
    """Among the items of the request, else among those of the answer."""

    def named(self, prefix: str) -> str:
        """The item's id: `PREFIX_…`, at most 46 characters. Whoever reads it knows the response, and so the account."""
        body = self.response_id.removeprefix(Kind.RESPONSE)
        return f"{prefix}_{body}_{'i' if self.of_input else ''}{self.position}"


def item_place(item_id: str) -> ItemPlace | None:
    """Where the item with this id stands; None for an id that is not made like ours. Nothing is proved by it."""
    found = _ITEM.fullmatch(item_id)
    if found is None:
        return None
    return ItemPlace(Kind.RESPONSE + found["body"], int(found["position"]), bool(found["input"]))
