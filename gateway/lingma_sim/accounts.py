"""Who may log in at the simulator: an accounts file or, without one, anybody by a rule. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WRONG = "wrong"
"""Without an accounts file every other password is right."""


class AccountsError(ValueError):
    """A file that is no accounts file. Its text names the account, never a secret."""


@dataclass(frozen=True, slots=True, repr=False)
class Person:
    """One account that may log in. Not shown when printed."""

    uid: str
    username: str = ""
    password: str = ""
    personal_token: str = ""
    access_key: str = ""
    secret_key: str = ""
    organizations: tuple[tuple[str, str], ...] = ()
    """Ids and names."""


class Accounts:
    """All of them; None: no file was given."""

    def __init__(self, people: Sequence[Person] | None = None) -> None:
        self._people = people

    def by_password(self, username: str, password: str) -> Person | None:
        """Who signs in with these on the login page."""
        if self._people is None:
            return Person(username) if username and password and password != WRONG else None
        return self._first(username=username, password=password)

    def by_personal_token(self, token: str) -> Person | None:
        """Whose personal access token it is; without a file `pat-UID` is that of UID."""
        if self._people is None:
            return _ruled("pat-", token)
        return self._first(personal_token=token)

    def by_key(self, access_key: str, secret_key: str) -> Person | None:
        """Whose AK/SK pair it is; without a file `ak-UID` and `sk-UID` are those of UID."""
        if self._people is None:
            person = _ruled("ak-", access_key)
            return person if person and secret_key == f"sk-{person.uid}" else None
        return self._first(access_key=access_key, secret_key=secret_key)

    def organizations(self, uid: str) -> tuple[tuple[str, str], ...]:
        """The organizations of an account."""
        person = self._first(uid=uid)
        return person.organizations if person else ()

    def _first(self, **wanted: str) -> Person | None:
        if not all(wanted.values()):
            return None  # what an account lacks nobody can present
        for person in self._people or ():
            if all(getattr(person, name) == value for name, value in wanted.items()):
                return person
        return None


def _ruled(prefix: str, text: str) -> Person | None:
    uid = text.removeprefix(prefix)
    return Person(uid) if uid and uid != text else None


def parse(text: str) -> Accounts:
    """The accounts in a file's text: a JSON list of objects.

    Raises:
        AccountsError: it is none, or an account has no uid.
    """
    try:
        given = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as problem:
        raise AccountsError("the accounts file is no JSON") from problem
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise AccountsError("the accounts file must be a list of objects")
    return Accounts([_person(number, item) for number, item in enumerate(given, 1)])


def _person(number: int, item: Mapping[str, Any]) -> Person:
    def text(name: str) -> str:
        value = item.get(name, "")
        if not isinstance(value, str):
            raise AccountsError(f"account {number}: {name} must be a text")
        return value

    if not text("uid"):
        raise AccountsError(f"account {number} has no uid")
    organizations = item.get("organizations", [])
    if not isinstance(organizations, list):
        raise AccountsError(f"account {number}: organizations must be a list")
    return Person(
        uid=text("uid"),
        username=text("username") or text("uid"),
        password=text("password"),
        personal_token=text("personalToken"),
        access_key=text("accessKey"),
        secret_key=text("secretKey"),
        organizations=tuple(_organization(number, one) for one in organizations),
    )


def _organization(number: int, item: Any) -> tuple[str, str]:
    if not isinstance(item, dict) or not isinstance(item.get("orgId"), str):
        raise AccountsError(f"account {number}: an organization needs orgId")
    return item["orgId"], str(item.get("orgName", item["orgId"]))
