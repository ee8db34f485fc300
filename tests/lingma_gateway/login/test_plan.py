from dataclasses import replace
from typing import Any

import pytest

from lingma_contract.health import LoginReason
from lingma_gateway.login import plan
from lingma_gateway.login.plan import (
    CURABLE,
    Attempt,
    Failed,
    HumanKind,
    HumanNeeded,
    LookAtBundle,
    Offer,
    Outcome,
    Rejected,
    Rest,
    Result,
    Situation,
    Try,
    Wait,
    Way,
)
from lingma_gateway.login.state import Login

NOW = 1_800_000_000.0
MINUTE = 60.0
LOGGED_OUT = Login(LoginReason.NO_SESSION, "Lingma is not logged in")
ALL = tuple(Offer(way, "c") for way in Way)


def situation(**changes: Any) -> Situation:
    chosen: dict[str, Any] = {
        "login": LOGGED_OUT,
        "bundle_looked_at": True,
        "offers": ALL,
        "attempts": {},
        "now_s": NOW,
        "max_retry": 3,
    }
    return Situation(**{**chosen, **changes})


def attempt(result: Result, ago_s: float = 0.0, in_a_row: int = 1, message: str = "m") -> Attempt:
    return Attempt(result, NOW - ago_s, in_a_row, "c", message, NOW - ago_s - 5)


def tried(found: plan.Decision) -> Way:
    assert isinstance(found, Try)
    return found.way


def waited(found: plan.Decision) -> Wait:
    assert isinstance(found, Wait)
    return found


@pytest.mark.parametrize("reason", sorted(set(LoginReason) - CURABLE))
def test_a_login_that_works_or_that_no_login_could_cure_is_left_alone(reason: LoginReason) -> None:
    assert plan.decide(situation(login=Login(reason, ""))) == Rest()


@pytest.mark.parametrize("reason", sorted(CURABLE))
def test_the_bundle_comes_first(reason: LoginReason) -> None:
    assert plan.decide(situation(login=Login(reason, ""), bundle_looked_at=False)) == LookAtBundle()


def test_then_the_ways_in_their_order_each_when_the_one_before_has_to_wait() -> None:
    attempts: dict[Way, Attempt] = {}
    for way in (Way.PERSONAL_TOKEN, Way.ACCESS_KEY, Way.BROWSER):
        assert tried(plan.decide(situation(attempts=attempts))) is way
        attempts[way] = attempt(Result.FAILED)
    assert waited(plan.decide(situation(attempts=attempts))).until_s == NOW + 30


def test_what_is_not_configured_is_not_tried() -> None:
    assert tried(plan.decide(situation(offers=(Offer(Way.BROWSER, "c"),)))) is Way.BROWSER
    assert plan.decide(situation(offers=())) == Wait(None, None)


def test_a_dedicated_domain_is_set_first() -> None:
    found = plan.decide(situation(dedicated_domain=True))
    assert isinstance(found, Try)
    assert found.set_endpoint
    assert found.login.reason is LoginReason.LOGIN_IN_PROGRESS
    assert plan.decide(situation()) == replace(found, set_endpoint=False)


def test_one_try_at_a_time() -> None:
    found = waited(plan.decide(situation(running=Way.BROWSER)))
    assert found.login == Login(LoginReason.LOGIN_IN_PROGRESS, "logging in with the user name and password")


@pytest.mark.parametrize(
    ("result", "in_a_row", "minutes"),
    [
        (Result.FAILED, 1, 0.5),
        (Result.FAILED, 2, 1),
        (Result.FAILED, 3, 10),
        (Result.FAILED, 4, 20),
        (Result.FAILED, 999, 60),
        (Result.HUMAN, 1, 10),
        (Result.HUMAN, 2, 20),
        (Result.HUMAN, 3, 40),
        (Result.HUMAN, 4, 60),
        (Result.HUMAN, 9999, 60),
        (Result.REFUSED, 1, 10),
        (Result.REFUSED, 9, 60),
    ],
)
def test_waits_between_tries(result: Result, in_a_row: int, minutes: float) -> None:
    offers = (Offer(Way.BROWSER, "c"),)
    early = {Way.BROWSER: attempt(result, minutes * MINUTE - 1, in_a_row)}
    late = {Way.BROWSER: attempt(result, minutes * MINUTE, in_a_row)}
    assert waited(plan.decide(situation(offers=offers, attempts=early))).until_s == NOW + 1
    assert tried(plan.decide(situation(offers=offers, attempts=late))) is Way.BROWSER


def test_a_wrong_password_is_never_tried_again_and_a_new_one_at_once() -> None:
    attempts = {Way.BROWSER: attempt(Result.REJECTED, 1e9, message="refused")}
    found = waited(plan.decide(situation(offers=(Offer(Way.BROWSER, "c"),), attempts=attempts)))
    assert found == Wait(Login(LoginReason.CREDENTIALS_REJECTED, "refused"), None)
    changed = situation(offers=(Offer(Way.BROWSER, "new"),), attempts={Way.BROWSER: attempt(Result.REJECTED)})
    assert tried(plan.decide(changed)) is Way.BROWSER


def test_a_new_password_does_not_shorten_the_wait_after_a_page_asked_for_a_person() -> None:
    offers = (Offer(Way.BROWSER, "new"),)
    found = plan.decide(situation(offers=offers, attempts={Way.BROWSER: attempt(Result.HUMAN, 60)}))
    assert waited(found).until_s == NOW + 9 * MINUTE
    assert tried(plan.decide(situation(offers=offers, attempts={Way.BROWSER: attempt(Result.HUMAN, 600)})))


def test_a_clock_that_was_set_back_does_not_lengthen_a_wait() -> None:
    attempts = {Way.BROWSER: attempt(Result.HUMAN, -1e6)}
    found = plan.decide(situation(offers=(Offer(Way.BROWSER, "c"),), attempts=attempts))
    assert waited(found).until_s == NOW + 10 * MINUTE


def test_a_person_needed_is_reported_before_a_refusal_and_that_before_a_failure() -> None:
    ways = {
        Way.PERSONAL_TOKEN: attempt(Result.FAILED, message="timeout"),
        Way.ACCESS_KEY: attempt(Result.REFUSED, message="no"),
        Way.BROWSER: attempt(Result.HUMAN, message="human verification needed"),
    }
    assert waited(plan.decide(situation(attempts=ways))).login == Login(
        LoginReason.HUMAN_VERIFICATION_NEEDED, "human verification needed"
    )
    ways[Way.BROWSER] = attempt(Result.FAILED, message="later")
    assert waited(plan.decide(situation(attempts=ways))).login == Login(LoginReason.CREDENTIALS_REJECTED, "no")
    ways[Way.ACCESS_KEY] = attempt(Result.FAILED)
    assert waited(plan.decide(situation(attempts=ways))).login == Login(
        LoginReason.NO_SESSION, "Lingma is not logged in; the last try failed: later"
    )


@pytest.mark.parametrize(
    ("outcome", "result", "words"),
    [
        (HumanNeeded(HumanKind.SLIDER, 5.0), Result.HUMAN, "human verification needed: the login page shows a slider"),
        (
            Rejected("they are wrong", certain=True),
            Result.REJECTED,
            "refused: the user name and password (they are wrong); provide",
        ),
        (Rejected("not now", certain=False), Result.REFUSED, "refused: the user name and password (not now); provide"),
        (Failed("timeout"), Result.FAILED, "timeout"),
    ],
)
def test_a_try_is_recorded_and_counted_with_those_that_ended_alike(
    outcome: HumanNeeded | Rejected | Failed, result: Result, words: str
) -> None:
    first = plan.after(Way.BROWSER, outcome, None, "c", NOW)
    assert (first.result, first.in_a_row, first.at_s) == (result, 1, NOW)
    assert words in first.message
    assert first.url_issued_s == (NOW - 5 if result is Result.HUMAN else None)
    assert plan.after(Way.BROWSER, outcome, first, "c", NOW).in_a_row == 2
    assert plan.after(Way.BROWSER, outcome, first, "other", NOW).in_a_row == 1


@pytest.mark.parametrize("kind", HumanKind)
def test_every_kind_of_human_check_tells_what_to_do(kind: HumanKind) -> None:
    message = plan.after(Way.BROWSER, HumanNeeded(kind, 1), None, "c", NOW).message
    assert message.startswith("human verification needed: ")
    assert "provide a session bundle" in message


def test_a_count_begins_anew_when_a_try_ends_otherwise() -> None:
    failed = attempt(Result.FAILED, in_a_row=5)
    assert plan.after(Way.BROWSER, HumanNeeded(HumanKind.SMS, 1), failed, "c", NOW).in_a_row == 1


def test_a_try_that_is_cut_short_counts_as_failed_and_waits_no_less_than_the_one_before() -> None:
    assert plan.interrupted(Way.BROWSER, None, "c", NOW).result is Result.FAILED
    assert plan.interrupted(Way.BROWSER, attempt(Result.FAILED, 50), "c", NOW).in_a_row == 2
    human = attempt(Result.HUMAN, 700)
    assert plan.interrupted(Way.BROWSER, human, "c", NOW) == replace(human, at_s=NOW)
    assert plan.interrupted(Way.BROWSER, human, "new", NOW).result is Result.FAILED


def test_the_age_of_the_login_url_is_told_where_a_person_is_needed() -> None:
    human = Login(LoginReason.HUMAN_VERIFICATION_NEEDED, "")
    attempts = {Way.BROWSER: attempt(Result.HUMAN, 115)}
    assert plan.note(attempts, human, NOW) == " (the login URL is 2 minutes old)"
    assert plan.note(attempts, LOGGED_OUT, NOW) == ""
    assert plan.note({}, human, NOW) == ""
    assert plan.note({Way.BROWSER: replace(attempts[Way.BROWSER], url_issued_s=None)}, human, NOW) == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "less than a minute"),
        (59, "less than a minute"),
        (60, "1 minute"),
        (599, "9 minutes"),
        (600, "over 10 minutes"),
        (1799, "over 20 minutes"),
        (3600, "over 1 h"),
        (9000, "over 2 h"),
    ],
)
def test_an_age_in_words_changes_seldom(seconds: float, words: str) -> None:
    assert plan.words_of_age(seconds) == words


def test_outcomes_are_a_closed_union() -> None:
    outcomes: list[Outcome] = [plan.LoggedIn(), Failed("x")]
    assert len(set(outcomes)) == 2


def test_what_keeps_a_way_from_being_offered_is_told_unless_there_is_something_better() -> None:
    hindered = "the container `login` does not answer"
    nothing = waited(plan.decide(situation(offers=(), hindrance=hindered)))
    assert nothing == Wait(Login(LoginReason.NO_SESSION, f"Lingma is not logged in; {hindered}"), None)
    tokens = {Way.PERSONAL_TOKEN: attempt(Result.REFUSED)}
    offers = (Offer(Way.PERSONAL_TOKEN, "c"),)
    refused = waited(plan.decide(situation(offers=offers, attempts=tokens, hindrance=hindered)))
    assert refused.login is not None and refused.login.reason is LoginReason.CREDENTIALS_REJECTED


def test_what_will_be_there_in_a_moment_is_waited_for_unless_another_way_can_be_tried() -> None:
    awaited = {"hindrance": "waiting", "awaited": True}
    expected = Wait(Login(LoginReason.LOGIN_IN_PROGRESS, "waiting"), NOW + plan.AWAITED_WAIT_S)
    assert plan.decide(situation(offers=(), **awaited)) == expected
    assert tried(plan.decide(situation(offers=(Offer(Way.PERSONAL_TOKEN, "c"),), **awaited))) is Way.PERSONAL_TOKEN
