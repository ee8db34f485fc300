"""What to try next to log in, from the login's state, what is configured, and what was tried when. Pure.

The order: already logged in; the session bundle; `auth/login` with a personal token or an access key; the browser. A
dedicated domain is set before anything that talks to the service. A way that has to wait does not hold up the next one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from lingma_contract.health import LoginReason
from lingma_gateway.login.state import Login

MINUTE_S = 60.0
HUMAN_WAIT_S = 10 * MINUTE_S
"""Least time between two tries after the page asked for a person or refused: a slider was seen after repeated logins,
and ten minutes is what another project keeps between them (protocol page, section 4)."""
_LONGEST_WAIT_S = 60 * MINUTE_S
_FAILED_WAIT_S = 30.0
AWAITED_WAIT_S = 1.0
"""Between two looks at what is likely to be there in a moment."""

CURABLE = frozenset({LoginReason.NO_SESSION, LoginReason.SESSION_EXPIRED, LoginReason.LOGIN_ERROR})
"""Reasons that a login can cure. The others are about the network, the address or the account."""


class Way(StrEnum):
    """Ways to log in that need a credential, in the order in which they are tried."""

    PERSONAL_TOKEN = "personal_token"
    ACCESS_KEY = "ak_sk"
    BROWSER = "browser"


class HumanKind(StrEnum):
    """What the login page wants that only a person can give."""

    CAPTCHA = "captcha"
    SLIDER = "slider"
    PUNISH = "punish"
    SMS = "sms"
    ORGANIZATION = "organization"
    UNKNOWN_PAGE = "unknown_page"
    FOREIGN_FORM = "foreign_form"


_HUMAN_WORDS = {
    HumanKind.CAPTCHA: "the login page asks for a code, of a captcha or an SMS",
    HumanKind.SLIDER: "the login page shows a slider",
    HumanKind.PUNISH: "the login page shows a check for robots",
    HumanKind.SMS: "the login page asks for a verification code",
    HumanKind.ORGANIZATION: "the account is of several organizations, one of which must be chosen",
    HumanKind.UNKNOWN_PAGE: "the login page shows something that the gateway does not know",
    HumanKind.FOREIGN_FORM: "the login form is on a host that LOGIN_FORM_HOSTS does not name",
}
_HUMAN_ADVICE = "log in where a person can, and provide a session bundle from there, a personal token or an access key"
_WAY_WORDS = {
    Way.PERSONAL_TOKEN: "the personal token",
    Way.ACCESS_KEY: "the access key",
    Way.BROWSER: "the user name and password",
}


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The try worked."""


@dataclass(frozen=True, slots=True)
class HumanNeeded:
    """The page wants a person. Reported, never worked around."""

    kind: HumanKind
    url_age_s: float


@dataclass(frozen=True, slots=True)
class Rejected:
    """The credential was refused. `certain`: the credential itself is wrong, so it is not tried again unchanged."""

    message: str
    certain: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """It did not work for a reason that may pass. The message holds no URL and no secret."""

    message: str


Outcome = LoggedIn | HumanNeeded | Rejected | Failed


class Result(StrEnum):
    """How the last try of a way ended."""

    HUMAN = "human"
    REJECTED = "rejected"
    """For certain: the same credential is not tried again."""
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Attempt:
    """The last try of one way."""

    result: Result
    at_s: float
    """Seconds since 1970."""
    in_a_row: int
    """Tries that ended like this one, one after the other."""
    credential: str
    """Tells credentials apart; not the credential."""
    message: str = ""
    url_issued_s: float | None = None
    """When the login URL was issued, of a try in a browser."""

    def wait_s(self, max_retry: int) -> float:
        """Seconds from this try to the next one with the same credential."""
        doublings = min(self.in_a_row - 1, 10)
        if self.result is Result.REJECTED:
            return float("inf")
        if self.result is Result.FAILED and self.in_a_row < max_retry:
            return float(_FAILED_WAIT_S * 2**doublings)
        if self.result is Result.FAILED:
            doublings = min(self.in_a_row - max_retry, 10)
        return min(float(HUMAN_WAIT_S * 2**doublings), _LONGEST_WAIT_S)


@dataclass(frozen=True, slots=True)
class Offer:
    """A way that is configured. `credential` tells its credential apart from others; it is not the credential."""

    way: Way
    credential: str


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a decision depends on."""

    login: Login
    bundle_looked_at: bool
    """Whether the session bundle has had its turn, and did not help."""
    offers: Sequence[Offer]
    attempts: Mapping[Way, Attempt]
    now_s: float
    """Seconds since 1970."""
    max_retry: int
    """Tries that fail for reasons that may pass before ten minutes lie between two."""
    dedicated_domain: bool = False
    running: Way | None = None
    hindrance: str = ""
    """What keeps a configured way from being offered."""
    awaited: bool = False
    """The hindrance is likely to pass in a moment."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to do: logged in, or nothing that a login could cure."""


@dataclass(frozen=True, slots=True)
class LookAtBundle:
    """The session bundle has not had its turn yet."""


@dataclass(frozen=True, slots=True)
class Try:
    """Log in this way now; with `set_endpoint`, tell Lingma the dedicated domain first."""

    way: Way
    set_endpoint: bool
    login: Login


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing now. Report `login` (None: what was found), until `until_s` (None: nothing will be tried)."""

    login: Login | None
    until_s: float | None


Decision = Rest | LookAtBundle | Try | Wait


def decide(situation: Situation) -> Decision:
    """The next step."""
    if situation.running is not None:
        return Wait(in_progress(situation.running), None)
    if situation.login.reason not in CURABLE:
        return Rest()
    if not situation.bundle_looked_at:
        return LookAtBundle()
    waits = {offer.way: _ready_at(offer, situation) for offer in situation.offers}
    for way in Way:
        if way in waits and waits[way] <= situation.now_s:
            return Try(way, situation.dedicated_domain, in_progress(way))
    if situation.awaited:
        return Wait(Login(LoginReason.LOGIN_IN_PROGRESS, situation.hindrance), situation.now_s + AWAITED_WAIT_S)
    finite = [ready_s for ready_s in waits.values() if ready_s != float("inf")]
    tried = [situation.attempts[way] for way in Way if way in waits]
    return Wait(_verdict(situation, tried), min(finite, default=None))


def _ready_at(offer: Offer, situation: Situation) -> float:
    attempt = situation.attempts.get(offer.way)
    if attempt is None:
        return situation.now_s
    if attempt.credential != offer.credential:
        # A changed credential is tried at once, except where a page has asked for a person: that is not about it.
        human = attempt.result is Result.HUMAN
        return min(attempt.at_s, situation.now_s) + (HUMAN_WAIT_S if human else 0.0)
    # A clock that was set back must not make the wait longer.
    return min(attempt.at_s, situation.now_s) + attempt.wait_s(situation.max_retry)


def _verdict(situation: Situation, tried: Sequence[Attempt]) -> Login | None:
    """What a person should be told, the most useful first."""
    for result, reason in (
        (Result.HUMAN, LoginReason.HUMAN_VERIFICATION_NEEDED),
        (Result.REJECTED, LoginReason.CREDENTIALS_REJECTED),
        (Result.REFUSED, LoginReason.CREDENTIALS_REJECTED),
    ):
        for attempt in tried:
            if attempt.result is result:
                return Login(reason, attempt.message)
    if tried:
        return Login(situation.login.reason, f"{situation.login.message}; the last try failed: {tried[-1].message}")
    if situation.hindrance:
        return Login(situation.login.reason, f"{situation.login.message}; {situation.hindrance}")
    return None


def in_progress(way: Way) -> Login:
    """What is reported while a try runs."""
    return Login(LoginReason.LOGIN_IN_PROGRESS, f"logging in with {_WAY_WORDS[way]}")


def after(
    way: Way, outcome: HumanNeeded | Rejected | Failed, previous: Attempt | None, credential: str, now_s: float
) -> Attempt:
    """The record of a try that did not work."""
    url_issued_s = None
    match outcome:
        case HumanNeeded(kind, url_age_s):
            result, url_issued_s = Result.HUMAN, now_s - url_age_s
            message = f"human verification needed: {_HUMAN_WORDS[kind]}; {_HUMAN_ADVICE}"
        case Rejected(reason, certain):
            result = Result.REJECTED if certain else Result.REFUSED
            message = f"refused: {_WAY_WORDS[way]} ({reason}); provide another one, or a session bundle"
        case Failed(message):
            result = Result.FAILED
        case _:
            assert_never(outcome)
    attempt = Attempt(result, now_s, 1, credential, message, url_issued_s)
    if previous is not None and previous.result is result and previous.credential == credential:
        return replace(attempt, in_a_row=previous.in_a_row + 1)
    return attempt


def interrupted(way: Way, previous: Attempt | None, credential: str, now_s: float) -> Attempt:
    """The record of a try that begins: it stays if the try is cut short, and waits no less than the last one."""
    if previous is not None and previous.credential == credential and previous.result is not Result.FAILED:
        return replace(previous, at_s=now_s)
    return after(way, Failed("the try was interrupted"), previous, credential, now_s)


def note(attempts: Mapping[Way, Attempt], login: Login, now_s: float) -> str:
    """How old the login URL is that a person would be needed for; empty where that says nothing."""
    attempt = attempts.get(Way.BROWSER)
    if login.reason is not LoginReason.HUMAN_VERIFICATION_NEEDED or attempt is None or attempt.url_issued_s is None:
        return ""
    return f" (the login URL is {words_of_age(now_s - attempt.url_issued_s)} old)"


def words_of_age(age_s: float) -> str:
    """An age in words, rounded so that a status that shows it changes seldom."""
    minutes = int(max(age_s, 0.0) // MINUTE_S)
    if minutes < 1:
        return "less than a minute"
    if minutes < 10:
        return f"{minutes} minute{'s' if minutes > 1 else ''}"
    return f"over {minutes // 10 * 10} minutes" if minutes < 60 else f"over {minutes // 60} h"
