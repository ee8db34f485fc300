import pytest

from lingma_contract.errors import Dialect
from lingma_gateway.errors import (
    GatewayError,
    LoginLost,
    QuotaExceeded,
    RateLimited,
    UpstreamRefused,
    UpstreamTimeout,
)
from lingma_gateway.lingma.refusals import in_reply, refusal


@pytest.mark.parametrize(
    ("code", "kind", "status", "retry_after"),
    [
        (401, LoginLost, 503, "5"),
        ("403", LoginLost, 503, "5"),
        (110, QuotaExceeded, 429, "60"),
        (429, RateLimited, 429, "15"),
        (408, UpstreamTimeout, 504, None),
        (80408, UpstreamTimeout, 504, None),
        (500, UpstreamRefused, 502, None),
        (None, UpstreamRefused, 502, None),
    ],
)
def test_a_code_says_what_the_caller_is_told(
    code: object, kind: type[GatewayError], status: int, retry_after: str | None
) -> None:
    error = refusal(code, "so it is")
    assert type(error) is kind
    assert error.message == f"Lingma ended the answer with status {code}: so it is"
    rendered = error.render(Dialect.OPENAI, "req-1")
    assert rendered.status == status
    assert rendered.headers.get("retry-after") == retry_after


def test_sdks_are_told_not_to_repeat_what_a_quota_refuses_but_may_after_a_rate_limit() -> None:
    assert refusal(110, "").render(Dialect.OPENAI, "r").headers["x-should-retry"] == "false"
    assert "x-should-retry" not in refusal(429, "").render(Dialect.ANTHROPIC, "r").headers


def test_a_refusal_without_a_reason_says_so_and_a_long_one_is_cut() -> None:
    assert refusal(500, "").message.endswith("500: no reason given")
    assert len(refusal("5" * 999, "x" * 9999).message) < 600


def test_a_reply_to_an_ask_refuses_only_by_saying_that_it_is_no_success() -> None:
    refused = in_reply({"isSuccess": False, "errorCode": "110", "errorMessage": "daily usage limit"})
    assert isinstance(refused, QuotaExceeded)
    assert refused.message.endswith("110: daily usage limit")
    assert isinstance(in_reply({"isSuccess": False}), UpstreamRefused)
    going_on: list[object] = [{"isSuccess": True, "errorCode": ""}, {}, None, [], "ok"]
    assert [in_reply(result) for result in going_on] == [None] * 5


def test_a_token_in_lingmas_words_reaches_no_caller() -> None:
    planted = "pt-0123456789abcdefXYZ"
    error = refusal(500, f"GET https://service.test/ask?token={planted} said 500; retry with {planted}")
    assert planted not in error.message
    assert "said 500" in error.message
