"""The accounts of this machine, from the settings. Pure.

LINGMA_ACCOUNTS has two forms: `USER:PASSWORD,USER:PASSWORD` (a password may hold colons, not commas), and a JSON list
of objects. Errors name the variable and the position of the entry, and never repeat what stands there.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lingma_gateway.login.credentials import Credentials

VARIABLE = "LINGMA_ACCOUNTS"
MAX_ACCOUNTS = 64
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_RESERVED = frozenset({"bin", "cache", "extension", "index", "logs"})
"""Lingma's own folders in a work directory: an account's folder may stand beside them."""
_GZIP_IN_BASE64 = "H4sI"
"""How the base64 of every gzip with a file's usual head begins: it tells a bundle from a path."""
_CREDENTIALS = ("username", "password", "personal_token", "access_key", "secret_key")
_BUNDLES = ("session_bundle_b64", "session_bundle_file", "session_bundle")
_FIELDS = ("name", *_CREDENTIALS, *_BUNDLES)


class AccountsError(ValueError):
    """The settings do not say which accounts there are; the message is for the person who wrote them."""


@dataclass(frozen=True, slots=True)
class BundleSource:
    """Where an account's session bundle comes from: a file, else the text itself."""

    file: str | None = None
    text: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return self.file is not None or bool(self.text)


NO_BUNDLE = BundleSource()


@dataclass(frozen=True, slots=True)
class Account:
    """One account, and what it can log in with."""

    name: str
    """Of the instance and of its folder; shown to anybody, so it never holds a user name that was not given as name."""
    credentials: Credentials | None = field(default=None, repr=False)
    """None: the machine's own credential settings."""
    bundle: BundleSource = NO_BUNDLE


def configured(accounts_text: str, instance_count: int, single_bundle: BundleSource = NO_BUNDLE) -> tuple[Account, ...]:
    """The accounts that `serve` runs: those of LINGMA_ACCOUNTS, else one (or LINGMA_INSTANCE_COUNT alike).

    Raises:
        AccountsError: LINGMA_ACCOUNTS cannot be read, or contradicts LINGMA_INSTANCE_COUNT.
    """
    if not accounts_text.strip():
        return tuple(Account(f"lingma-{number}", None, single_bundle) for number in range(1, instance_count + 1))
    accounts = parse(accounts_text)
    if instance_count not in (1, len(accounts)):
        raise AccountsError(
            f"LINGMA_INSTANCE_COUNT is {instance_count}, and {VARIABLE} names {len(accounts)} account(s): "
            f"leave LINGMA_INSTANCE_COUNT out, since each account has an instance"
        )
    return accounts


def parse(text: str) -> tuple[Account, ...]:
    """The accounts of LINGMA_ACCOUNTS.

    Raises:
        AccountsError: it is neither form, or an entry cannot be used.
    """
    entries = _json_entries(text) if text.lstrip()[:1] in ("[", "{") else _csv_entries(text)
    if not 1 <= len(entries) <= MAX_ACCOUNTS:
        raise AccountsError(f"{VARIABLE} must name 1 to {MAX_ACCOUNTS} accounts, not {len(entries)}")
    _refuse_repeated([entry.get("username", "") for entry in entries], "user name")
    _refuse_repeated([entry.get("name", "").casefold() for entry in entries], "name")
    accounts: list[Account] = []
    for position, entry in enumerate(entries, start=1):
        taken = {account.name.casefold() for account in accounts} | {
            each.get("name", "").casefold() for each in entries
        }
        accounts.append(_account(entry, position, taken))
    return tuple(accounts)


def _csv_entries(text: str) -> list[Mapping[str, str]]:
    entries: list[Mapping[str, str]] = []
    items = [item.strip() for item in text.split(",")]
    for position, item in enumerate((item for item in items if item), start=1):
        username, colon, password = item.partition(":")
        if not colon or not username.strip() or not password:
            raise AccountsError(
                f"{VARIABLE}: entry {position} is not USER:PASSWORD (a password with a comma needs the JSON form)"
            )
        entries.append({"username": username.strip(), "password": password})
    return entries


def _json_entries(text: str) -> list[Mapping[str, str]]:
    try:
        given = json.loads(text)
    except ValueError:
        # Without its cause, which quotes the text.
        raise AccountsError(f"{VARIABLE} begins like JSON and is none") from None
    if not isinstance(given, list):
        raise AccountsError(f"{VARIABLE} must be a JSON list of objects")
    return [_json_entry(item, position) for position, item in enumerate(given, start=1)]


def _json_entry(item: Any, position: int) -> Mapping[str, str]:
    if not isinstance(item, dict):
        raise AccountsError(f"{VARIABLE}: entry {position} is no object")
    if not item.keys() <= set(_FIELDS):
        raise AccountsError(f"{VARIABLE}: entry {position} has a field that is none of {', '.join(_FIELDS)}")
    for name in _FIELDS:
        if not isinstance(item.get(name), str | None):
            raise AccountsError(f"{VARIABLE}: entry {position}: {name} is no string")
    entry = {name: value for name, value in item.items() if value}
    _check(entry, position)
    return entry


def _check(entry: Mapping[str, str], position: int) -> None:
    if "password" in entry and "username" not in entry:
        raise AccountsError(f"{VARIABLE}: entry {position} has a password and no username")
    if "username" in entry and not entry.keys() & {"password", "personal_token", "access_key", *_BUNDLES}:
        raise AccountsError(f"{VARIABLE}: entry {position} has a username and nothing to log in with")
    if ("access_key" in entry) != ("secret_key" in entry):
        raise AccountsError(f"{VARIABLE}: entry {position} needs both access_key and secret_key, or neither")
    if sum(name in entry for name in _BUNDLES) > 1:
        raise AccountsError(f"{VARIABLE}: entry {position} has more than one of {', '.join(_BUNDLES)}")
    name = entry.get("name")
    if name is not None and (not _NAME.fullmatch(name) or name.casefold() in _RESERVED):
        raise AccountsError(
            f"{VARIABLE}: entry {position} has a name that is no folder's: letters, digits, '.', '_' and '-', "
            f"at most 63, and none of {', '.join(sorted(_RESERVED))}"
        )


def _refuse_repeated(values: Sequence[str], what: str) -> None:
    first: dict[str, int] = {}
    for position, value in enumerate(values, start=1):
        if value and value in first:
            raise AccountsError(f"{VARIABLE}: entry {position} repeats the {what} of entry {first[value]}")
        first[value] = position


def _account(entry: Mapping[str, str], position: int, taken: set[str]) -> Account:
    given: dict[str, Any] = {name: entry[name] for name in _CREDENTIALS if name in entry}
    return Account(entry.get("name") or _own_name(entry, position, taken), Credentials(**given), _bundle(entry))


def _own_name(entry: Mapping[str, str], position: int, taken: set[str]) -> str:
    """A name that stays with its account when the list is reordered: a work directory holds one account's login.

    Too short a digest to find a user name by; an account known by its bundle only has its position.
    """
    identity = entry.get("username") or entry.get("access_key") or entry.get("personal_token")
    name = (
        f"lingma-{hashlib.sha256(identity.encode('utf-8', 'surrogatepass')).hexdigest()[:6]}"
        if identity
        else f"lingma-{position}"
    )
    while name in taken:
        name += "-2"
    return name


def _bundle(entry: Mapping[str, str]) -> BundleSource:
    either = entry.get("session_bundle", "")
    if either and not either.lstrip().startswith(_GZIP_IN_BASE64):
        return BundleSource(file=either)
    return BundleSource(entry.get("session_bundle_file"), entry.get("session_bundle_b64", either))
