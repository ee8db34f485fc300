"""Who may call, and the key that signs ids: from files that the operator derives, or from settings of one's own."""

import hmac
import logging
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from starlette.datastructures import Headers

from lingma_contract import apikeys, ids
from lingma_contract.apikeys import ApiKeys
from lingma_contract.derivation import read_lines
from lingma_contract.ids import Kind
from lingma_contract.jsonlog import event
from lingma_contract.names import Credential, Header
from lingma_gateway.errors import Unauthenticated

log = logging.getLogger(__name__)

ANONYMOUS = "anonymous"


class Identity(Protocol):
    """Authenticates callers and mints ids."""

    def key_id(self, headers: Headers) -> str:
        """The id of the caller's API key.

        Raises:
            Unauthenticated: no key, or a wrong one.
        """
        ...

    def admin(self, headers: Headers) -> bool:
        """Whether the caller may use the admin routes."""
        ...

    def mint(self, kind: Kind, key_id: str) -> str:
        """A new id that names the account."""
        ...


def _same(presented: str | None, accepted: tuple[str, ...]) -> bool:
    if presented is None:
        return False
    given = presented.encode("utf-8", "surrogateescape")
    matches = [hmac.compare_digest(given, value.encode()) for value in accepted]
    return any(matches)


def _presented(headers: Headers) -> str | None:
    return apikeys.presented(headers.get("authorization"), headers.get("x-api-key"))


_Version = tuple[int, int]


class SidecarIdentity:
    """In a cluster: the router calls with the account's token and names the client's key.

    The files of Secret `<account>-gateway` are read again when they change; each holds the current value and, while
    the master secret is being rotated, the previous one.
    """

    def __init__(self, folder: Path, account_uid: str) -> None:
        self._folder = folder
        self._account_uid = account_uid
        self._cached: dict[Credential, tuple[_Version, tuple[str, ...]]] = {}
        for credential in Credential:
            self._read(credential)

    def _read(self, credential: Credential) -> tuple[str, ...]:
        path = self._folder / credential.value
        status = path.stat()
        # The time alone is not enough: two swaps may happen within one tick of the file system's clock.
        version = (status.st_mtime_ns, status.st_ino)
        cached = self._cached.get(credential)
        if cached is None or cached[0] != version:
            values = read_lines(path.read_text())
            if not values:
                raise ValueError(f"{credential.value} is empty")
            cached = (version, values)
            self._cached[credential] = cached
        return cached[1]

    def _values(self, credential: Credential) -> tuple[str, ...]:
        """The accepted values; the last good ones while the file cannot be read."""
        try:
            return self._read(credential)
        except (OSError, ValueError) as error:
            event(log, "credential_unreadable", level=logging.ERROR, credential=credential.value, reason=str(error))
            return self._cached[credential][1]

    def key_id(self, headers: Headers) -> str:
        if not _same(_presented(headers), self._values(Credential.ROUTER_TOKEN)):
            raise Unauthenticated("this gateway answers its router only: call the routing Service with your API key")
        return headers.get(Header.KEY_ID) or ANONYMOUS

    def admin(self, headers: Headers) -> bool:
        return _same(_presented(headers), self._values(Credential.ADMIN_TOKEN))

    def mint(self, kind: Kind, key_id: str) -> str:
        return ids.mint(kind, self._account_uid, self._values(Credential.ACCOUNT_KEY)[0].encode(), key_id)


@dataclass(frozen=True, slots=True)
class StandaloneIdentity:
    """Alone: the gateway checks the clients' keys itself, and signs ids with a key as old as the process."""

    keys: ApiKeys
    allow_anonymous: bool
    account_uid: str
    account_key: bytes = field(repr=False)
    admin_token: str = field(default="", repr=False)
    """Opens the admin routes; while it is empty, the API keys do."""

    @classmethod
    def create(
        cls, keys: ApiKeys, allow_anonymous: bool, account_uid: str, admin_token: str = ""
    ) -> "StandaloneIdentity":
        """An identity with a new signing key."""
        return cls(keys, allow_anonymous, account_uid, secrets.token_bytes(32), admin_token)

    def key_id(self, headers: Headers) -> str:
        presented = _presented(headers)
        key_id = self.keys.identify(presented)
        if key_id is not None:
            return key_id
        if self.allow_anonymous:
            return ANONYMOUS
        if presented is None:
            raise Unauthenticated("no API key: send `Authorization: Bearer KEY` or `x-api-key: KEY`")
        raise Unauthenticated("the API key is not valid")

    def admin(self, headers: Headers) -> bool:
        presented = _presented(headers)
        if self.admin_token:
            return _same(presented, (self.admin_token,))
        # Never without a key, even where clients need none: a session can be exported there.
        return self.keys.identify(presented) is not None

    def mint(self, kind: Kind, key_id: str) -> str:
        return ids.mint(kind, self.account_uid, self.account_key, key_id)
