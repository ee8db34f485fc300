"""The router's own answers: each failure as an exception that knows its fault and its words."""

import random

from aiohttp import web

from lingma_contract import errors
from lingma_contract.errors import Dialect, Fault
from lingma_contract.names import KIND
from lingma_router.placement import HolderNotReady, NoneReady, StateLost

_OVERLOADED = 529
"""Anthropic's own status, which has no name in the standard."""
_SHOWN_CHARS = 64
"""Of a client's id in a message."""


class Refusal(Exception):
    """The request ends here, with this answer."""

    def __init__(
        self, fault: Fault, message: str, *, param: str | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.fault = fault
        self.param = param
        self.retry_after_s = retry_after_s

    def response(self, dialect: Dialect, request_id: str) -> web.Response:
        """The answer in the caller's form."""
        rendered = errors.render(
            self.fault, dialect, str(self), request_id, param=self.param, retry_after_s=self.retry_after_s
        )
        headers = {**rendered.headers, "server": "lingma-router"}
        reason = "Overloaded" if rendered.status == _OVERLOADED else None
        return web.Response(status=rendered.status, reason=reason, headers=headers, body=rendered.body)


def soon() -> float:
    """Seconds for Retry-After, jittered so that a team's agents do not come back at once."""
    return random.uniform(3, 7)


def unplaced(placement: StateLost | HolderNotReady | NoneReady, known: int) -> Refusal:
    """The refusal of a request that no account can serve; `known` accounts exist."""
    match placement:
        case StateLost(lost):
            shown = lost.value[:_SHOWN_CHARS]
            if lost.param is None:
                return Refusal(errors.NOT_FOUND, f"Response with id '{shown}' not found.")
            message = f"Previous response with id '{shown}' not found."
            return Refusal(errors.PREVIOUS_RESPONSE_NOT_FOUND, message, param=lost.param)
        case HolderNotReady():
            message = "the Lingma account that holds this conversation is not ready"
            return Refusal(errors.NO_READY_ACCOUNT, message, retry_after_s=soon())
        case NoneReady():
            how = f"no {KIND} exists where this router looks" if known == 0 else f"0 of {known}"
            return Refusal(errors.NO_READY_ACCOUNT, f"no Lingma account is ready ({how})", retry_after_s=soon())
