"""What the gateway and the container `login` say to each other over loopback: JSON, nothing secret in it. Pure.

`GET /credential` answers `{"mark": TEXT}`, or `{"missing": TEXT}` where there is no user name or password.
`POST /visits` takes `{"url": URL}` and answers when the visit has ended, with an outcome as `encode` writes it.
"""

from collections.abc import Mapping
from typing import Any, assert_never

from lingma_gateway.login.plan import Failed, HumanKind, HumanNeeded, LoggedIn, Outcome, Rejected

CREDENTIAL = "/credential"
VISITS = "/visits"
MAX_WORDS = 300
"""Characters of a message that are passed on."""


def encode(outcome: Outcome) -> dict[str, Any]:
    """The outcome as JSON data."""
    match outcome:
        case LoggedIn():
            return {"outcome": "logged_in"}
        case HumanNeeded(kind, _):
            return {"outcome": "human", "kind": kind.value}
        case Rejected(message, certain):
            return {"outcome": "rejected", "message": message, "certain": certain}
        case Failed(message):
            return {"outcome": "failed", "message": message}
        case _:
            assert_never(outcome)


def decode(body: object, url_age_s: float) -> Outcome:
    """The outcome in JSON data; `url_age_s` is what the gateway knows better, for it asked for the URL.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(body, Mapping):
        raise ValueError("an outcome is an object")
    match body:
        case {"outcome": "logged_in"}:
            return LoggedIn()
        case {"outcome": "human", "kind": str(kind)}:
            return HumanNeeded(HumanKind(kind), url_age_s)
        case {"outcome": "rejected", "message": str(message), "certain": bool(certain)}:
            return Rejected(_words(message), certain)
        case {"outcome": "failed", "message": str(message)}:
            return Failed(_words(message))
        case _:
            raise ValueError("no outcome that is known")


def mark_or_fault(body: object) -> tuple[str, str]:
    """The mark in an answer to `GET /credential`, and what is missing; one of them is empty.

    Raises:
        ValueError: the answer is neither.
    """
    match body:
        case {"mark": str(mark)} if mark:
            return _words(mark), ""
        case {"missing": str(missing)} if missing:
            return "", _words(missing)
        case _:
            raise ValueError("neither a mark nor what is missing")


def _words(text: str) -> str:
    """On one line, and short."""
    return "".join(character if character.isprintable() else " " for character in text[:MAX_WORDS])
