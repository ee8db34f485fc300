"""One turn on one account, from the first question to the end of the answer. It may take several questions, all in one
session of Lingma's and in the slot that the turn holds.
"""

import logging
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from lingma_contract.jsonlog import event
from lingma_gateway.answers.answer import Answer, Limits
from lingma_gateway.conversation import Message, Role, Text
from lingma_gateway.errors import UpstreamProtocol
from lingma_gateway.events import FinishReason, StreamEvent, Usage
from lingma_gateway.lingma import calls, updates, usagelog
from lingma_gateway.lingma.exchange import Exchange, Manner, exchange
from lingma_gateway.lingma.instance import Instance
from lingma_gateway.lingma.thinking import Piece
from lingma_gateway.lingma.updates import Anew
from lingma_gateway.record import TurnRecord
from lingma_gateway.sessions.continuing import Place
from lingma_gateway.telemetry.metrics import Metrics
from lingma_gateway.tokens import request_tokens

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Desk:
    """What all turns are answered with."""

    manner: Manner
    locale: str
    metrics: Metrics


class Answering:
    """The turn of `place`, on the instance that gave it a slot."""

    def __init__(self, place: Place, instance: Instance, record: TurnRecord, desk: Desk) -> None:
        self._place = place
        self._instance = instance
        self._record = record
        self._desk = desk
        self._session_id = place.session_id
        self._exchange: Exchange | None = None
        self._held: list[StreamEvent] = []
        """Events of an answer that is given as a whole: until its end Lingma may replace it."""
        self._sent = False
        self._complete: Message | None = None
        prompt = calls.prompt(place.turn)
        self._prompt = prompt
        self._begin: Callable[[], Answer] = lambda: Answer(
            place.model, request_tokens(place.turn), Limits.of(place.turn)
        )
        self._answer = self._begin()

    @property
    def session_id(self) -> str:
        """Lingma's session as far as it is known."""
        return self._exchange.session_id if self._exchange is not None else self._session_id

    @property
    def complete(self) -> Message | None:
        """The answer, once the client has been given all that the session holds of it."""
        return self._complete

    async def events(self) -> AsyncGenerator[list[StreamEvent], None]:
        """The events of the turn. Closing the generator stops Lingma.

        Raises:
            GatewayError: it could not be asked, or broke off.
        """
        ask = self._ask()
        connection = self._instance.connection()
        async with exchange(connection, ask, self._prompt, self._desk.manner, self._overheard) as self._exchange:
            async with aclosing(self._exchange.pieces()) as heard:
                async for pieces in heard:
                    produced = self._read(pieces)
                    if produced:
                        self._sent = True
                        yield produced
                    if self._answer.cut:
                        break
            await self._exchange.stop()
        yield self._end(ask.request_id)

    def _ask(self) -> calls.Ask:
        place = self._place
        return calls.Ask(
            request_id=str(uuid.uuid4()),
            model_key=place.model,
            workspace=str(self._instance.workspace),
            locale=self._desk.locale,
            session_id=self._session_id,
            is_reply=place.is_reply,
        )

    def _read(self, pieces: list[Piece] | Anew) -> list[StreamEvent]:
        """The events that can be sent now."""
        self._record.heard()
        if isinstance(pieces, Anew):
            if self._sent:
                raise UpstreamProtocol("Lingma replaced text of the answer that had already been sent")
            self._held.clear()
            self._answer = self._begin()
            pieces = pieces.pieces
        produced = self._answer.read(pieces)
        if self._place.turn.stream:
            return produced
        self._held += produced
        return []

    def _end(self, request_id: str) -> list[StreamEvent]:
        """The last events."""
        answer = self._answer
        events = [*self._held, *answer.end()]
        if answer.reason is FinishReason.STOP:
            self._complete = Message(Role.ASSISTANT, (Text("".join(answer.text)),))
        self._record.usage = self._usage(request_id, answer.usage)
        return [*events, answer.finish(self._record.usage, self.session_id)]

    def _usage(self, request_id: str, estimated: Usage) -> Usage:
        """Lingma's own count, where its log has one."""
        counted = usagelog.read(self._instance.settings.work_dir, request_id)
        return estimated if counted is None else replace(counted, reasoning_tokens=estimated.reasoning_tokens)

    def _overheard(self, method: str, params: dict[str, Any]) -> None:
        """What Lingma does beside answering."""
        if method == updates.STEP:
            _log_step(params, self._record)
        else:
            self._desk.metrics.tool_events.labels(method=method).inc()
            _log_tool(method, params, self._record)


def _log_tool(method: str, params: dict[str, Any], record: TurnRecord) -> None:
    """One line for each event of a tool of Lingma's own; arguments and results are not logged."""
    status = params.get("toolCallStatus")
    event(
        log,
        "tool",
        request_id=record.request_id,
        key_id=record.key_id,
        account=record.account,
        method=method,
        tool_call_id=params.get("toolCallId"),
        name=params.get("name"),
        status=status.lower() if isinstance(status, str) else None,
        session_id=params.get("sessionId"),
        outcome="denied" if method == updates.INVOKE else None,
    )


def _log_step(params: dict[str, Any], record: TurnRecord) -> None:
    """A step of Lingma's says nothing about the answer; its description and result may quote the prompt."""
    step, status = params.get("step"), params.get("status")
    event(log, "lingma_step", level=logging.DEBUG, request_id=record.request_id, step=step, status=status)
