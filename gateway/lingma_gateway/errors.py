"""What can go wrong, whose fault it is, and what the caller is told.

GatewayError
├── InvalidRequest          the caller's body; names the field
│   ├── MissingParameter    a field that OpenAI requires
│   ├── PreviousResponseNotFound  what `previous_response_id` names is not kept, or never was
│   └── ThreadNotKept       a thread of Anthropic's, whose state would have to be kept
├── Unauthenticated         the caller's own key
├── UpgradeRequired         a WebSocket handshake
├── ModelNotFound           UNKNOWN_MODEL=reject and no such model
├── NotFound                no such instance
├── Conflict                not in this state
├── NotConfigured           a setting is missing, so nobody could be allowed
├── SessionNotPacked        the login's files are of no use elsewhere
├── RequestTooLarge
├── ClientTooSlow           the caller does not read its answer
├── UnsupportedEncoding     the body is compressed
├── IdempotencyKeyReused    the same Idempotency-Key with another request
├── QueueFull               every slot is taken, and the queue too
├── NoReadyAccount          no Lingma is connected and logged in
│   └── LoginLost           the Lingma that was asked says that its account may not
└── UpstreamError           Lingma's fault
    ├── UpstreamLost        the connection broke under the turn
    ├── UpstreamRefused     a finish with an error status, or an RPC error
    ├── QuotaExceeded       the account has used up what it may
    ├── RateLimited         the account was asked too often
    ├── OutputInvalid       the model's answer has not the form that the request asks for
    ├── ToolCallMissing     the model called no tool, where the request demands it
    ├── ToolCallInvalid     the model began a call that it could not complete
    ├── UpstreamProtocol    bytes that are not the protocol
    └── UpstreamTimeout     no first event, or silence between events
"""

from lingma_contract import errors as contract
from lingma_contract.errors import Dialect, Fault, Rendered


class GatewayError(Exception):
    """Base: `fault` knows the status and the form in each dialect; the message is for the caller."""

    fault: Fault = contract.INTERNAL

    def __init__(self, message: str, *, param: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s

    def render(self, dialect: Dialect, request_id: str) -> Rendered:
        """The error as it goes over the wire."""
        return contract.render(
            self.fault, dialect, self.message, request_id, param=self.param, retry_after_s=self.retry_after_s
        )


class InvalidRequest(GatewayError):
    fault = contract.INVALID_REQUEST


class MissingParameter(InvalidRequest):
    """In OpenAI's words and with its code."""

    fault = contract.MISSING_PARAMETER


class PreviousResponseNotFound(InvalidRequest):
    fault = contract.PREVIOUS_RESPONSE_NOT_FOUND


class ThreadNotKept(InvalidRequest):
    """Anthropic's SDKs send the whole conversation then."""

    fault = contract.THREAD_NOT_KEPT


class Unauthenticated(GatewayError):
    fault = contract.UNAUTHENTICATED


class UpgradeRequired(GatewayError):
    fault = contract.UPGRADE_REQUIRED


class ModelNotFound(GatewayError):
    fault = contract.MODEL_NOT_FOUND


class NotFound(GatewayError):
    fault = contract.NOT_FOUND


class Conflict(GatewayError):
    fault = contract.CONFLICT


class NotConfigured(GatewayError):
    fault = contract.NOT_CONFIGURED


class SessionNotPacked(GatewayError):
    fault = contract.SESSION_NOT_PACKED


class RequestTooLarge(GatewayError):
    fault = contract.TOO_LARGE


class ClientTooSlow(GatewayError):
    """More of the answer waits for the caller than may wait."""

    fault = contract.REQUEST_TIMEOUT


class UnsupportedEncoding(GatewayError):
    fault = contract.UNSUPPORTED_ENCODING


class IdempotencyKeyReused(GatewayError):
    fault = contract.IDEMPOTENCY_KEY_REUSED


class QueueFull(GatewayError):
    fault = contract.QUEUE_FULL


class NoReadyAccount(GatewayError):
    fault = contract.NO_READY_ACCOUNT


class LoginLost(NoReadyAccount):
    """Lingma refused a turn for want of a login: the instance looks at its login again."""


class UpstreamError(GatewayError):
    fault = contract.UPSTREAM_FAILED


class UpstreamLost(UpstreamError):
    """The connection to Lingma broke."""


class UpstreamRefused(UpstreamError):
    """Lingma answered with an error."""


class QuotaExceeded(UpstreamError):
    fault = contract.QUOTA_EXCEEDED


class RateLimited(UpstreamError):
    fault = contract.RATE_LIMITED


class UpstreamProtocol(UpstreamError):
    """Lingma sent what the protocol does not know."""


class OutputInvalid(UpstreamError):
    """The model was asked twice for the form that the request demands."""

    fault = contract.OUTPUT_INVALID


class ToolCallMissing(UpstreamError):
    """The model was asked twice for the call that the request demands."""

    fault = contract.TOOL_CALL_MISSING


class ToolCallInvalid(UpstreamError):
    """The client was given part of a call that cannot be completed."""

    fault = contract.TOOL_CALL_INVALID


class UpstreamTimeout(UpstreamError):
    fault = contract.UPSTREAM_TIMEOUT
