"""One turn of the self-check as it was heard: every push with its time. `Heard` is filled by `hear`."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lingma_gateway.errors import UpstreamError, UpstreamRefused
from lingma_gateway.lingma import calls, updates
from lingma_gateway.lingma.connection import Connection, TurnPushes

_STOP_TIMEOUT_S = 2.0
"""Twice as long as a stop may take."""
_LATE_ACK_S = 0.3
"""How long the answer to an ask may come after the end of its turn."""


@dataclass(slots=True)
class Heard:
    """Times are of one monotonic clock, in seconds."""

    began: float
    session_id: str = ""
    text: str = ""
    methods: list[str] = field(default_factory=list)
    """Of the pushes, in order."""
    fields: dict[str, set[str]] = field(default_factory=dict)
    """Of the params, by method."""
    chunk_times: list[float] = field(default_factory=list)
    first_push: float | None = None
    ended: float | None = None
    finish: dict[str, Any] | None = None
    tools: list[tuple[str, bool, str]] = field(default_factory=list)
    """Method, whether it names a call, and status."""
    acknowledged_s: float | None = None
    """Until the ask was answered, where it was sent as a request and was."""
    stopped: float | None = None
    """When the stop was sent."""
    stop_acknowledged_s: float | None = None
    error: str | None = None

    @property
    def status(self) -> Any:
        """The status code of its end; None without an end."""
        return None if self.finish is None else self.finish.get("statusCode", 200)

    @property
    def succeeded(self) -> bool:
        """Whether it ended well, with an answer."""
        return self.error is None and self.status == 200 and bool(self.text.strip())

    @property
    def failure(self) -> str:
        """Why it did not succeed."""
        if self.error is not None:
            return self.error
        if self.status != 200:
            return f"it ended with status {self.status}: {str((self.finish or {}).get('reason', ''))[:200]}"
        return "its answer is empty"

    def note(self, method: str, params: dict[str, Any], now: float) -> None:
        """Take down one push."""
        self.methods.append(method)
        self.fields.setdefault(method, set()).update(params)
        if self.first_push is None:
            self.first_push = now
        session_id = params.get("sessionId")
        if isinstance(session_id, str) and session_id:
            self.session_id = session_id
        if method == updates.ANSWER:
            self._note_answer(params, now)
        elif method in updates.TOOL_METHODS:
            named = isinstance(params.get("toolCallId"), str) and bool(params["toolCallId"])
            self.tools.append((method, named, str(params.get("toolCallStatus", ""))))
        elif method == updates.FINISH:
            self.finish, self.ended = params, now
            whole = params.get("fullAnswer")
            if not self.text and isinstance(whole, str):
                self.text = whole

    def _note_answer(self, params: dict[str, Any], now: float) -> None:
        text = params.get("text") or params.get("content")
        if isinstance(text, str) and text:
            self.text = text if params.get("overwrite") is True else self.text + text
            self.chunk_times.append(now)


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
        method, params = await pushes.next(left_s, "end of the answer" if heard.methods else "answer")
        heard.note(method, params, time.monotonic())
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
        pushes.put(error)
    except UpstreamError as error:
        # Not answered in time, or the connection is lost: the pushes tell which.
        heard.acknowledged_s = None
        del error
    else:
        heard.acknowledged_s = time.monotonic() - heard.began
        if isinstance(answer, dict) and answer.get("isSuccess") is False:
            pushes.put(UpstreamRefused(f"chat/ask was refused: {str(answer.get('errorMessage', ''))[:200]}"))


async def _stop(connection: Connection, request_id: str, heard: Heard) -> None:
    heard.stopped = time.monotonic()
    try:
        await connection.request("chat/stop", calls.stop(request_id, heard.session_id), _STOP_TIMEOUT_S)
    except UpstreamError as error:
        heard.error = heard.error or error.message
    else:
        heard.stop_acknowledged_s = time.monotonic() - heard.stopped
