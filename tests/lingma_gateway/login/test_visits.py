"""An outcome survives the way from the container `login` to the gateway; what is none is refused."""

from typing import Any

import pytest

from lingma_gateway.login import visits
from lingma_gateway.login.plan import Failed, HumanKind, HumanNeeded, LoggedIn, Outcome, Rejected

OUTCOMES: list[Outcome] = [
    LoggedIn(),
    Rejected("they are wrong", certain=True),
    Rejected("who knows", certain=False),
    Failed("the browser took too long"),
    *(HumanNeeded(kind, 7.0) for kind in HumanKind),
]


@pytest.mark.parametrize("outcome", OUTCOMES, ids=str)
def test_an_outcome_arrives_as_it_was_sent_with_the_age_that_the_gateway_knows(outcome: Outcome) -> None:
    assert visits.decode(visits.encode(outcome), 7.0) == outcome


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"outcome": "done"},
        {"outcome": "human"},
        {"outcome": "human", "kind": "tea"},
        {"outcome": "failed", "message": 3},
        {"outcome": "rejected", "message": "m", "certain": "yes"},
    ],
)
def test_what_is_no_outcome_is_refused(body: Any) -> None:
    with pytest.raises(ValueError):
        visits.decode(body, 0.0)


def test_words_stay_short_and_on_one_line() -> None:
    assert visits.decode({"outcome": "failed", "message": "a\nb\x1b[0m"}, 0.0) == Failed("a b [0m")
    long = visits.decode({"outcome": "failed", "message": "x" * 1000}, 0.0)
    assert isinstance(long, Failed) and len(long.message) == visits.MAX_WORDS


def test_a_credential_is_a_mark_or_what_is_missing() -> None:
    assert visits.mark_or_fault({"mark": "m"}) == ("m", "")
    assert visits.mark_or_fault({"missing": "the password"}) == ("", "the password")


@pytest.mark.parametrize("body", [None, {}, {"mark": ""}, {"missing": ""}, {"mark": 3}])
def test_what_is_neither_is_refused(body: Any) -> None:
    with pytest.raises(ValueError):
        visits.mark_or_fault(body)
