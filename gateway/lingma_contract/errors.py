"""Errors in the caller's own form: OpenAI's envelope or Anthropic's, with status, Retry-After and request id."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from typing import Any

MAX_RETRY_AFTER_S = 60
"""SDKs ignore (Anthropic) or obey (OpenAI) longer ones; neither helps a person who waits."""


class Dialect(StrEnum):
    """Whose error form a caller understands."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"


def dialect_of(path: str, anthropic_version: str | None) -> Dialect:
    """The form for a request: Anthropic's for `/v1/messages…` or where `anthropic-version` was sent.

    OpenAI's for the admin routes, whatever was sent: scripts of the earlier gateway read it.
    """
    if path.startswith("/internal/"):
        return Dialect.OPENAI
    if path.startswith("/v1/messages") or anthropic_version is not None:
        return Dialect.ANTHROPIC
    return Dialect.OPENAI


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of failure, in both forms."""

    status: int
    openai_type: str
    anthropic_type: str
    code: str | None = None
    anthropic_status: int | None = None
    """Where Anthropic's differs: 529 for an overload."""
    retryable: bool = False
    """False sends `x-should-retry: false`, so that SDKs do not repeat what cannot succeed."""
    details: Mapping[str, Any] | None = None
    """Anthropic's `error.details`, by which its SDKs know what to do instead."""
    retry_after_s: float | None = None
    """Where the error itself knows no better: some clients give up at once on a 429 that does not say when."""

    def status_in(self, dialect: Dialect) -> int:
        """The HTTP status in that form."""
        if dialect is Dialect.ANTHROPIC and self.anthropic_status is not None:
            return self.anthropic_status
        return self.status


INVALID_REQUEST = Fault(400, "invalid_request_error", "invalid_request_error")
THREAD_NOT_KEPT = Fault(
    400,
    "invalid_request_error",
    "invalid_request_error",
    code="thread_unsupported_request",
    details={"error_code": "thread_unsupported_request", "unsupported": []},
)
"""The documented answer to Anthropic's message threads, on which its SDKs send the whole conversation instead."""
UNAUTHENTICATED = Fault(401, "invalid_request_error", "authentication_error", code="invalid_api_key")
PREVIOUS_RESPONSE_NOT_FOUND = Fault(
    400, "invalid_request_error", "invalid_request_error", code="previous_response_not_found"
)
"""The status and code of OpenAI itself. Not 404 or 409: SDKs repeat a 409."""
MISSING_PARAMETER = Fault(400, "invalid_request_error", "invalid_request_error", code="missing_required_parameter")
FORBIDDEN = Fault(403, "invalid_request_error", "permission_error", code="forbidden")
NOT_FOUND = Fault(404, "invalid_request_error", "not_found_error", code="not_found")
MODEL_NOT_FOUND = Fault(404, "invalid_request_error", "not_found_error", code="model_not_found")
METHOD_NOT_ALLOWED = Fault(405, "invalid_request_error", "invalid_request_error", code="method_not_allowed")
REQUEST_TIMEOUT = Fault(408, "invalid_request_error", "invalid_request_error", code="request_timeout", retryable=True)
TOO_LARGE = Fault(413, "invalid_request_error", "request_too_large", code="request_too_large")
UPGRADE_REQUIRED = Fault(426, "invalid_request_error", "invalid_request_error", code="upgrade_required")
"""For a WebSocket handshake: on this status, unlike 404 and 405, Codex goes on over HTTP at once."""
CONFLICT = Fault(409, "invalid_request_error", "invalid_request_error", code="conflict")
UNSUPPORTED_ENCODING = Fault(415, "invalid_request_error", "invalid_request_error", code="unsupported_content_encoding")
IDEMPOTENCY_KEY_REUSED = Fault(422, "invalid_request_error", "invalid_request_error", code="idempotency_key_reused")
"""The status of the IETF's draft (draft-ietf-httpapi-idempotency-key-header, section 2.7). Not 409: SDKs repeat one."""
QUEUE_FULL = Fault(429, "rate_limit_error", "rate_limit_error", code="backpressure", retryable=True, retry_after_s=5)
RATE_LIMITED = Fault(429, "rate_limit_error", "rate_limit_error", code="rate_limited", retryable=True, retry_after_s=15)
"""The upstream's own short limit: a pause helps."""
QUOTA_EXCEEDED = Fault(429, "rate_limit_error", "rate_limit_error", code="quota_exceeded", retry_after_s=60)
"""The account's quota is used up. No retry within minutes helps, so SDKs are told to stop; clients that go on all the
same wait for Retry-After instead of asking an account again and again that is limited for being asked too often."""
SESSION_NOT_PACKED = Fault(500, "server_error", "api_error", code="session_not_packed", retryable=True)
INTERNAL = Fault(500, "server_error", "api_error", code="internal_error", retryable=True)
UPSTREAM_FAILED = Fault(502, "upstream_error", "api_error", code="upstream_error", retryable=True)
OUTPUT_INVALID = Fault(502, "upstream_error", "api_error", code="output_invalid")
"""The model did not give the form that the request asks for, asked twice. A client that repeats the request blindly
pays two answers each time, so SDKs are told not to."""
TOOL_CALL_MISSING = Fault(502, "upstream_error", "api_error", code="tool_call_missing")
"""The model called no tool where the request demands a call, asked twice; as `OUTPUT_INVALID`."""
TOOL_CALL_INVALID = Fault(502, "upstream_error", "api_error", code="tool_call_invalid")
"""The model began a call of a tool and could not complete it, asked twice; as `OUTPUT_INVALID`."""
NO_READY_ACCOUNT = Fault(
    503,
    "service_unavailable",
    "overloaded_error",
    code="no_ready_account",
    anthropic_status=529,
    retryable=True,
    retry_after_s=5,
)
NOT_CONFIGURED = Fault(503, "service_unavailable", "api_error", code="not_configured", retryable=True)
"""Nobody could be allowed: a setting is missing."""
UPSTREAM_TIMEOUT = Fault(504, "upstream_error", "timeout_error", code="upstream_timeout", retryable=True)


@dataclass(frozen=True, slots=True)
class Rendered:
    """An error as it goes over the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def envelope(fault: Fault, dialect: Dialect, message: str, request_id: str, param: str | None = None) -> dict[str, Any]:
    """The JSON body, as an object."""
    if dialect is Dialect.ANTHROPIC:
        said: dict[str, Any] = {"type": fault.anthropic_type, "message": message}
        if fault.details is not None:
            said["details"] = fault.details
        return {"type": "error", "error": said, "request_id": request_id}
    error = {"message": message, "type": fault.openai_type, "param": param, "code": fault.code}
    return {"error": error, "request_id": request_id}


def request_id_headers(dialect: Dialect, request_id: str) -> dict[str, str]:
    """The headers that tell a request's id: Anthropic's SDKs read `request-id`."""
    headers = {"x-request-id": request_id}
    if dialect is Dialect.ANTHROPIC:
        headers["request-id"] = request_id
    return headers


def render(
    fault: Fault,
    dialect: Dialect,
    message: str,
    request_id: str,
    *,
    param: str | None = None,
    retry_after_s: float | None = None,
) -> Rendered:
    """Status, headers and body of an error. `retry_after_s` is rounded up to whole seconds, between 1 and 60."""
    headers = {"content-type": "application/json", **request_id_headers(dialect, request_id)}
    retry_after_s = fault.retry_after_s if retry_after_s is None else retry_after_s
    if retry_after_s is not None:
        bounded = min(max(retry_after_s, 0.001), MAX_RETRY_AFTER_S)
        headers["retry-after"] = str(ceil(bounded))
        headers["retry-after-ms"] = str(ceil(bounded * 1000))
    if not fault.retryable:
        headers["x-should-retry"] = "false"
    text = json.dumps(envelope(fault, dialect, message, request_id, param), ensure_ascii=False)
    # A message may quote a lone surrogate of the caller's JSON; the escape that replaces it is JSON's own.
    return Rendered(fault.status_in(dialect), headers, text.encode("utf-8", "backslashreplace"))
