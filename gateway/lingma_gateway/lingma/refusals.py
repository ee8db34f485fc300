"""What it means that Lingma refuses a turn: by the status of `chat/finish`, or in its reply to `chat/ask`. Pure.

No list of real codes exists. Known or chosen by others: 408 and 500 (Clawith), 110 "daily usage limit" and a short-term
limit (HANDOVER of lingma-proxy), 401, 403 and 429 (OpenAPI of the service), 80408 (a response time-out in the IDE).
"""

from collections.abc import Mapping
from typing import Any

from lingma_contract.masking import without_secrets
from lingma_gateway.errors import (
    GatewayError,
    LoginLost,
    QuotaExceeded,
    RateLimited,
    UpstreamRefused,
    UpstreamTimeout,
)

OK = 200

_LOGIN_RETRY_S = 5.0
_RATE_RETRY_S = 15.0
_QUOTA_RETRY_S = 60.0
"""The longest that is ever sent. A quota takes longer, but no client waits longer, and each try costs the account."""

KINDS: Mapping[str, tuple[type[GatewayError], float | None]] = {
    "401": (LoginLost, _LOGIN_RETRY_S),
    "403": (LoginLost, _LOGIN_RETRY_S),
    "110": (QuotaExceeded, _QUOTA_RETRY_S),
    "429": (RateLimited, _RATE_RETRY_S),
    "408": (UpstreamTimeout, None),
    "80408": (UpstreamTimeout, None),
}


def refusal(code: object, reason: str) -> GatewayError:
    """The error for a turn that ended with `code`, a number or its digits."""
    kind, retry_after_s = KINDS.get(str(code), (UpstreamRefused, None))
    text = without_secrets(reason)[:500] or "no reason given"
    return kind(f"Lingma ended the answer with status {str(code)[:20]}: {text}", retry_after_s=retry_after_s)


def in_reply(result: Any) -> GatewayError | None:
    """The refusal in the result of a `chat/ask` that was sent as a request; None when the turn goes on."""
    if not isinstance(result, dict) or result.get("isSuccess") is not False:
        return None
    return refusal(result.get("errorCode"), str(result.get("errorMessage") or ""))
