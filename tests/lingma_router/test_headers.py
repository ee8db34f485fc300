"""What passes from one side to the other."""

import pytest

from lingma_router.headers import is_forwarded, is_responses, needs_no_login, to_client, to_gateway


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions",
        "/v1/messages",
        "/v1/models/",
        "/v1/responses/resp_1",
        "/responses",
        "/responses/r",
        "/v1/a%20b",
    ],
)
def test_the_apis_are_forwarded(path: str) -> None:
    assert is_forwarded(path)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1x/models",
        "/responsesx",
        "/internal/session",
        "/metrics",
        "/healthz",
        "/api/hello",
        "/v1/../internal/session",
        "/v1/%2e%2e/internal/session",
        "/v1/%2E./internal",
        "/v1/..%2finternal",
        "/v1/./models",
        "/v1//internal",
        "//v1/models",
        "/v1/a\\..\\internal",
        "/v1/%5cinternal",
        "http://elsewhere/v1/models",
        "*",
        "",
    ],
)
def test_nothing_else_is_and_no_spelling_of_it(path: str) -> None:
    assert not is_forwarded(path)


def test_only_the_responses_api_knows_the_turn_state() -> None:
    assert is_responses("/v1/responses")
    assert is_responses("/responses")
    assert not is_responses("/v1/chat/completions")


def test_credentials_internal_and_connection_headers_stay_with_the_router() -> None:
    sent = [
        ("Authorization", "Bearer k"),
        ("X-Api-Key", "k"),
        ("Cookie", "c"),
        ("X-Lingma-Key-Id", "root"),
        ("x-lingma-affinity", "a"),
        ("X-Request-Id", "r"),
        ("Host", "h"),
        ("Content-Length", "3"),
        ("Expect", "100-continue"),
        ("Transfer-Encoding", "chunked"),
        ("TE", "trailers"),
        ("Connection", "keep-alive, X-Hop, "),
        ("X-Hop", "1"),
        ("Anthropic-Beta", "one"),
        ("Anthropic-Beta", "two"),
        ("User-Agent", "ua"),
    ]
    assert list(to_gateway(sent)) == [("Anthropic-Beta", "one"), ("Anthropic-Beta", "two"), ("User-Agent", "ua")]


def test_an_answers_own_headers_pass() -> None:
    sent = [("Connection", "close"), ("Keep-Alive", "5"), ("X-Lingma-Model", "m"), ("Content-Length", "3")]
    assert list(to_client(sent)) == [("X-Lingma-Model", "m"), ("Content-Length", "3")]


@pytest.mark.parametrize(
    ("path", "alone"),
    [
        ("/v1/messages/count_tokens", True),
        ("/v1/models", True),
        ("/v1/models/claude-sonnet-4-5", True),
        ("/v1/messages", False),
        ("/v1/chat/completions", False),
        ("/v1/modelsx", False),
    ],
)
def test_tokens_and_models_need_no_login(path: str, alone: bool) -> None:
    assert needs_no_login(path) is alone
