"""One turn: take a slot, ask, read until it ends, give everything back. Every exit releases what it took."""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from typing import Any

from lingma_contract.jsonlog import event
from lingma_gateway.conversation import Turn
from lingma_gateway.errors import LoginLost, ModelNotFound, NoReadyAccount, UpstreamError
from lingma_gateway.events import Finished, StreamEvent, Usage
from lingma_gateway.lingma import calls, models, updates, usagelog
from lingma_gateway.lingma.connection import Connection
from lingma_gateway.lingma.instance import Instance
from lingma_gateway.pool import Pool
from lingma_gateway.telemetry.metrics import Metrics

log = logging.getLogger(__name__)

_CLEANUP_TIMEOUT_S = 2.0
_NO_MODEL_RETRY_S = 5.0


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """Times in seconds. There is no limit on a whole turn."""

    first_event_timeout_s: float
    idle_timeout_s: float
    names: models.Names
    reject_unknown_model: bool
    locale: str
    ask_as_request: bool = False


@dataclass(slots=True)
class TurnRecord:
    """What is known about a turn so far: for headers, the access log and metrics."""

    request_id: str
    key_id: str
    account: str | None = None
    model: str | None = None
    usage: Usage | None = None
    started_at: float = field(default_factory=time.monotonic)
    queued_s: float | None = None
    """How long it waited for its slot."""
    first_event_s: float | None = None
    degraded: list[str] = field(default_factory=list)
    """Parts of the request that the model could not see, by the names of their placeholders."""


class Turns:
    """Runs turns on a pool."""

    def __init__(self, settings: TurnSettings, pool: Pool, metrics: Metrics) -> None:
        self._settings = settings
        self._pool = pool
        self._metrics = metrics
        self._retiring: set[asyncio.Task[None]] = set()

    async def run(self, turn: Turn, record: TurnRecord) -> AsyncGenerator[list[StreamEvent], None]:
        """The events of one turn, those that came together in one list. Closing the generator stops the turn upstream.

        Raises:
            GatewayError: it could not be run, or broke off.
        """
        self._refuse_unknown(turn)
        names = self._settings.names
        async with self._pool.slot(
            suits=lambda each: names.offered(turn.model, each.models), key_id=record.key_id
        ) as instance:
            record.queued_s = time.monotonic() - record.started_at
            record.account = instance.name
            record.model = self._model(turn, instance)
            run = self._ask(turn, instance, record.model, record)
            try:
                async for produced in run:
                    if record.first_event_s is None:
                        record.first_event_s = time.monotonic() - record.started_at
                    if isinstance(produced[-1], Finished):
                        record.usage = produced[-1].usage
                    yield produced
            except LoginLost:
                instance.suspect_login()
                raise
            finally:
                await run.aclose()

    def _refuse_unknown(self, turn: Turn) -> None:
        """Before waiting for anything, where UNKNOWN_MODEL=reject and no account of this machine has the model."""
        known = (self._settings.names.known(turn.model, each.models) for each in self._pool.instances)
        if self._settings.reject_unknown_model and self._pool.ready_instances() and not any(known):
            raise ModelNotFound(f"the model {turn.model!r} does not exist: GET /v1/models lists them", param="model")

    def _model(self, turn: Turn, instance: Instance) -> str:
        key = self._settings.names.key(turn.model, instance.models)
        if key is None and self._settings.reject_unknown_model:
            raise NoReadyAccount(f"no account with the model {turn.model!r} is ready", retry_after_s=_NO_MODEL_RETRY_S)
        return key or self._settings.names.key(None, instance.models) or self._settings.names.default

    async def _ask(
        self, turn: Turn, instance: Instance, model_key: str, record: TurnRecord
    ) -> AsyncGenerator[list[StreamEvent], None]:
        connection = instance.connection()
        prompt = calls.prompt(turn)
        ask = calls.Ask(str(uuid.uuid4()), model_key, str(instance.workspace), self._settings.locale)
        reader = updates.TurnReader(model_key, prompt, hold=not turn.stream)
        with connection.turn(ask.request_id) as pushes:
            try:
                await connection.ask(calls.ask(ask, prompt), pushes, as_request=self._settings.ask_as_request)
                timeout_s, waited_for = self._settings.first_event_timeout_s, "answer"
                while not reader.finished:
                    method, params = await pushes.next(timeout_s, waited_for)
                    timeout_s, waited_for = self._settings.idle_timeout_s, "more of its answer"
                    if method in updates.TOOL_METHODS:
                        self._trace(method, params, instance, record)
                    elif method == updates.STEP:
                        _log_step(params, record)
                    produced = reader.read(method, params)
                    if produced:
                        yield _counted(produced, instance, ask.request_id)
            finally:
                if not reader.finished:
                    await _stop(connection, ask.request_id, reader.session_id)
                    # A turn that ends before its first push was read: its session is named by what came meanwhile.
                    for _, params in pushes.arrived():
                        reader.observe(params)
                # Nothing comes back to this session: each turn carries its whole history.
                self._retire(connection, reader.session_id)

    def _retire(self, connection: Connection, session_id: str) -> None:
        """Delete a session upstream, behind the turn's back, so that Lingma's database does not grow for ever."""
        if session_id:
            task = asyncio.create_task(_delete(connection, session_id))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    async def settle(self) -> None:
        """Until every session that was to be deleted has been, or its connection is gone."""
        await asyncio.gather(*self._retiring)

    def _trace(self, method: str, params: dict[str, Any], instance: Instance, record: TurnRecord) -> None:
        """One line for each tool event; arguments and results are not logged."""
        status = params.get("toolCallStatus")
        self._metrics.tool_events.labels(method=method).inc()
        event(
            log,
            "tool",
            request_id=record.request_id,
            key_id=record.key_id,
            account=instance.name,
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


def _counted(produced: list[StreamEvent], instance: Instance, request_id: str) -> list[StreamEvent]:
    """The end of a turn with Lingma's own count of tokens, where its log has one; anything else as it is."""
    last = produced[-1]
    if isinstance(last, Finished):
        usage = usagelog.read(instance.settings.work_dir, request_id)
        return produced if usage is None else [*produced[:-1], replace(last, usage=usage)]
    return produced


async def _stop(connection: Connection, request_id: str, session_id: str) -> None:
    """Tell Lingma to stop, without letting a lost connection hide why the turn ended."""
    request = connection.request("chat/stop", calls.stop(request_id, session_id), _CLEANUP_TIMEOUT_S)
    try:
        await asyncio.shield(asyncio.ensure_future(request))
    except UpstreamError as error:
        event(log, "lingma_stop_failed", level=logging.WARNING, reason=str(error)[:200])


async def _delete(connection: Connection, session_id: str) -> None:
    try:
        await connection.request("chat/deleteSessionById", {"sessionId": session_id}, _CLEANUP_TIMEOUT_S)
    except UpstreamError as error:
        event(log, "lingma_session_not_deleted", level=logging.DEBUG, reason=str(error)[:200])
