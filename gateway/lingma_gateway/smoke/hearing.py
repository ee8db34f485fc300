"""Asks one question of the self-check, and takes down what is heard until its turn ends."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from lingma_contract.jsonlog import event
from lingma_gateway.errors import UpstreamError, UpstreamRefused
from lingma_gateway.lingma import calls
from lingma_gateway.lingma.connection import Connection, TurnPushes
from lingma_gateway.smoke.heard import Heard

log = logging.getLogger(__name__)

_STOP_TIMEOUT_S = 2.0
"""Twice as long as a stop may take."""
_LATE_ACK_S = 0.3
"""How long the answer to an ask may come after the end of its turn."""


async def hear(
    connection: Connection,
    params: dict[str, Any],
    longest_s: float,
    *,
    as_request: bool = False,
    stop_when: Callable[[Heard], bool] = lambda _: False,
) -> Heard:
    """Ask, and listen until the end, or for `longest_s`. What went wrong is in `error`; it raises nothing."""
    heard = Heard(time.monotonic())
    request_id = str(params["requestId"])
    asking: asyncio.Task[None] | None = None
    with connection.turn(request_id) as pushes:
        try:
            if as_request:
                asking = asyncio.create_task(_ask(connection, params, longest_s, heard, pushes))
            else:
                await connection.notify("chat/ask", params)
            await _listen(connection, request_id, pushes, heard, longest_s, stop_when)
            if asking is not None:
                await asyncio.wait({asking}, timeout=_LATE_ACK_S)
        except UpstreamError as error:
            heard.error = error.message
        finally:
            if asking is not None:
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
            if heard.finish is None and heard.stopped is None:
                await _stop(connection, request_id, heard)
    return heard


async def _listen(
    connection: Connection,
    request_id: str,
    pushes: TurnPushes,
    heard: Heard,
    longest_s: float,
    stop_when: Callable[[Heard], bool],
) -> None:
    deadline = heard.began + longest_s
    while heard.finish is None:
        left_s = max(0.01, deadline - time.monotonic())
        pushed = await pushes.next(left_s, "end of the answer" if heard.methods else "answer")
        assert isinstance(pushed, tuple), "the connection of the self-check gives every push whole"
        heard.note(*pushed, time.monotonic())
        if heard.stopped is None and heard.finish is None and stop_when(heard):
            await _stop(connection, request_id, heard)
            deadline = min(deadline, time.monotonic() + _STOP_TIMEOUT_S)


async def _ask(
    connection: Connection, params: dict[str, Any], longest_s: float, heard: Heard, pushes: TurnPushes
) -> None:
    """Ask as a request: sources disagree whether that is answered. A refusal ends the turn, for no push will come."""
    try:
        answer = await connection.request("chat/ask", params, longest_s)
    except UpstreamRefused as error:
        pushes.fail(error)
    except UpstreamError as error:
        # Never answered, as some sources say, or the connection is lost, which the pushes tell too.
        event(log, "smoke_ask_unanswered", level=logging.DEBUG, error=type(error).__name__)
    else:
        heard.acknowledged_s = time.monotonic() - heard.began
        if isinstance(answer, dict) and answer.get("isSuccess") is False:
            pushes.fail(UpstreamRefused(f"chat/ask was refused: {str(answer.get('errorMessage', ''))[:200]}"))


async def _stop(connection: Connection, request_id: str, heard: Heard) -> None:
    heard.stopped = time.monotonic()
    try:
        await connection.request("chat/stop", calls.stop(request_id, heard.session_id), _STOP_TIMEOUT_S)
    except UpstreamError as error:
        heard.error = heard.error or error.message
    else:
        heard.stop_acknowledged_s = time.monotonic() - heard.stopped
