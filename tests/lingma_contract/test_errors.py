import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lingma_contract import errors
from lingma_contract.errors import Dialect, Fault

FAULTS = [value for value in vars(errors).values() if isinstance(value, Fault)]


@pytest.mark.parametrize(
    ("path", "version", "expected"),
    [
        ("/v1/messages", None, Dialect.ANTHROPIC),
        ("/v1/messages/count_tokens", None, Dialect.ANTHROPIC),
        ("/v1/models", "2023-06-01", Dialect.ANTHROPIC),
        ("/v1/models", None, Dialect.OPENAI),
        ("/v1/chat/completions", None, Dialect.OPENAI),
        ("/nowhere", None, Dialect.OPENAI),
    ],
)
def test_the_dialect_is_told_by_the_path_or_the_version_header(
    path: str, version: str | None, expected: Dialect
) -> None:
    assert errors.dialect_of(path, version) is expected


def test_openai_gets_message_type_param_and_code() -> None:
    rendered = errors.render(errors.INVALID_REQUEST, Dialect.OPENAI, "n must be 1", "req-1", param="n")
    assert rendered.status == 400
    assert json.loads(rendered.body) == {
        "error": {"message": "n must be 1", "type": "invalid_request_error", "param": "n", "code": None},
        "request_id": "req-1",
    }


def test_anthropic_gets_a_typed_error() -> None:
    rendered = errors.render(errors.UNAUTHENTICATED, Dialect.ANTHROPIC, "no API key", "req-1", param="n")
    assert rendered.status == 401
    assert json.loads(rendered.body) == {
        "type": "error",
        "error": {"type": "authentication_error", "message": "no API key"},
        "request_id": "req-1",
    }


def test_an_overload_is_529_to_anthropic_and_503_to_openai() -> None:
    statuses = {dialect: errors.NO_READY_ACCOUNT.status_in(dialect) for dialect in Dialect}
    assert statuses == {Dialect.OPENAI: 503, Dialect.ANTHROPIC: 529}


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.status}-{fault.code}")
def test_sdks_are_told_not_to_repeat_what_cannot_succeed(fault: Fault, dialect: Dialect) -> None:
    rendered = errors.render(fault, dialect, "message", "req-1")
    assert rendered.headers["x-request-id"] == "req-1"
    assert rendered.headers["content-type"] == "application/json"
    worth_repeating = rendered.status in (408, 429) or rendered.status >= 500
    asked_twice = (errors.OUTPUT_INVALID, errors.TOOL_CALL_MISSING, errors.TOOL_CALL_INVALID)
    if fault is errors.QUOTA_EXCEEDED or fault in asked_twice:
        worth_repeating = False  # no pause that a client would make helps
    assert rendered.headers.get("x-should-retry") == (None if worth_repeating else "false")


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.status}-{fault.code}")
def test_every_429_and_every_want_of_an_account_says_when_to_come_again(fault: Fault, dialect: Dialect) -> None:
    rendered = errors.render(fault, dialect, "message", "req-1")
    must = fault.status == 429 or fault is errors.NO_READY_ACCOUNT
    assert ("retry-after" in rendered.headers) is must
    if must:
        assert 1 <= int(rendered.headers["retry-after"]) <= 60
        assert int(rendered.headers["retry-after-ms"]) == int(rendered.headers["retry-after"]) * 1000


@pytest.mark.parametrize(
    ("seconds", "whole", "milliseconds"),
    [
        (-5.0, "1", "1"),
        (0.0, "1", "1"),
        (0.5, "1", "500"),
        (1.2, "2", "1200"),
        (60.0, "60", "60000"),
        (1e9, "60", "60000"),
    ],
)
def test_retry_after_is_rounded_up_within_one_and_sixty_seconds(seconds: float, whole: str, milliseconds: str) -> None:
    rendered = errors.render(errors.QUEUE_FULL, Dialect.OPENAI, "full", "req-1", retry_after_s=seconds)
    assert rendered.headers["retry-after"] == whole
    assert rendered.headers["retry-after-ms"] == milliseconds


@given(st.text(), st.sampled_from(Dialect))
@example("\ud800", Dialect.OPENAI)
def test_any_message_arrives_as_it_is(message: str, dialect: Dialect) -> None:
    rendered = errors.render(errors.INTERNAL, dialect, message, "req-1")
    assert json.loads(rendered.body)["error"]["message"] == message
