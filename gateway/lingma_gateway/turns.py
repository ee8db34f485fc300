"""One turn: take a slot, have it answered, give everything back. Every exit releases what it took."""

import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

from lingma_contract.jsonlog import event
from lingma_gateway.answering import IN_CHAT, Answering, Desk, OwnToolUse
from lingma_gateway.answers.answer import Wanted
from lingma_gateway.answers.results import arrived
from lingma_gateway.askmode import AskMode, AskModes, model_of
from lingma_gateway.conversation import ChoiceMode, ToolChoice, Turn
from lingma_gateway.errors import InvalidRequest, LoginLost, ModelNotFound, NoReadyAccount, UpstreamLost
from lingma_gateway.events import StreamEvent
from lingma_gateway.lingma import models
from lingma_gateway.lingma.calls import AsAgent
from lingma_gateway.lingma.exchange import Manner
from lingma_gateway.lingma.instance import Instance
from lingma_gateway.lingma.retiring import Deletions
from lingma_gateway.outlet import Outlet
from lingma_gateway.pool import Pool
from lingma_gateway.prompting.toolconfig import tool_config
from lingma_gateway.record import TurnRecord
from lingma_gateway.sessions import affinity
from lingma_gateway.sessions.continuing import Continuing, Fresh, Holder
from lingma_gateway.sessions.prefix import opening
from lingma_gateway.showing import Showing
from lingma_gateway.telemetry import spans
from lingma_gateway.telemetry.metrics import Metrics
from lingma_gateway.telemetry.tooltrace import Conversation, ToolTrace
from lingma_gateway.toolpolicy import DENY_ALL, ToolPolicy
from lingma_gateway.tools import Grammars

log = logging.getLogger(__name__)


_NO_MODEL_RETRY_S = 5.0


@dataclass(frozen=True, slots=True)
class ToolSettings:
    """How clients' tools are served."""

    emulated: bool
    """False: they are left out, or sent on to Lingma's agent."""
    grammars: Grammars
    description_tokens: int
    log_content: bool
    """Log arguments and results, masked."""
    forwarded: bool = False
    """Lingma's agent is told of them, where it answers and they are not emulated."""


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """How Lingma's agent is asked, and what its tools may do."""

    modes: AskModes = AskModes()
    ask: AsAgent = AsAgent()
    policy: ToolPolicy = DENY_ALL


@dataclass(frozen=True, slots=True)
class TurnSettings:
    manner: Manner
    names: models.Names
    reject_unknown_model: bool
    locale: str
    showing: Showing
    tools: ToolSettings
    agent: AgentSettings = AgentSettings()


class Turns:
    """Runs turns on a pool."""

    def __init__(
        self, settings: TurnSettings, pool: Pool, metrics: Metrics, continuing: Continuing | None = None
    ) -> None:
        """Without `continuing` each turn has a session of its own."""
        self._settings = settings
        self._pool = pool
        self._apart = Fresh()
        """For turns of the agent: what its session holds of tools is not what the client sends back."""
        self._continuing = self._apart if continuing is None else continuing
        tools = settings.tools
        trace = ToolTrace(metrics, log_content=tools.log_content)
        self._desk = Desk(
            settings.manner,
            settings.locale,
            metrics,
            settings.showing,
            trace,
            tools.grammars,
            tools.description_tokens,
        )
        self._deletions = Deletions()

    async def run(
        self, turn: Turn, record: TurnRecord, outlet: Outlet | None = None
    ) -> AsyncGenerator[list[StreamEvent], None]:
        """The events of one turn, those that came together in one list. Closing the generator stops the turn upstream.

        While it waits for more, events go to the `outlet` instead, where that is ready; the last one never does.

        Raises:
            GatewayError: it could not be run, or broke off.
        """
        mode = self._settings.agent.modes.of(turn)
        use = self._own_tools(turn) if mode is AskMode.AGENT else IN_CHAT
        turn = self._without_unserved(replace(turn, model=model_of(turn)), record, use)
        wanted = Wanted.of(turn)
        self._refuse_unknown(turn)
        preferred = self._held(use).preferred(turn, record.key_id) or self._affine(turn, record.key_id)
        async with self._pool.slot(preferred, lambda each: self._offers(turn, each), key_id=record.key_id) as instance:
            record.queued_s = time.monotonic() - record.started_at
            record.account = instance.name
            record.model = self._model(turn, instance)
            self._settings.showing.check(turn, instance, record.model, record)
            name = opening(turn.messages)
            with spans.chat(record, name) as span:
                conversation = Conversation(record, name, span)
                async with aclosing(self._answered(turn, wanted, instance, conversation, use, outlet)) as events:
                    async for produced in events:
                        yield produced

    async def _answered(
        self,
        turn: Turn,
        wanted: Wanted,
        instance: Instance,
        conversation: Conversation,
        use: OwnToolUse,
        outlet: Outlet | None,
    ) -> AsyncGenerator[list[StreamEvent], None]:
        """The turn in a slot of `instance`."""
        record = conversation.record
        for result in arrived(turn.messages):
            self._desk.trace.arrived(conversation, result)
        assert record.model is not None
        continuing = self._held(use)
        place = continuing.place(turn, record.key_id, Holder(instance.name, instance.epoch), record.model)
        record.session = place.outcome
        answering = Answering(place, wanted, instance, conversation, self._desk, use, outlet)
        try:
            async with aclosing(answering.events()) as events:
                async for produced in events:
                    yield produced
        except LoginLost:
            instance.suspect_login()
            raise
        finally:
            answering.close()
            if answering.complete is None:
                continuing.failed(place, answering.session_id)
            else:
                continuing.succeeded(place, answering.session_id, answering.complete)
            self.retire()

    def _held(self, use: OwnToolUse) -> Continuing:
        return self._continuing if use.as_agent is None else self._apart

    def _own_tools(self, turn: Turn) -> OwnToolUse:
        """What Lingma's agent may do in `turn`, and is told of the client's tools."""
        agent, tools = self._settings.agent, self._settings.tools
        if tools.emulated or not tools.forwarded:
            return OwnToolUse(agent.ask, agent.policy)
        ask = replace(agent.ask, tool_config=tool_config(turn))
        return OwnToolUse(ask, agent.policy, frozenset(tool.name for tool in turn.tools))

    def _without_unserved(self, turn: Turn, record: TurnRecord, use: OwnToolUse) -> Turn:
        if self._settings.tools.emulated or not turn.tools:
            return turn
        if not use.theirs:
            if turn.tool_choice.mode is ChoiceMode.REQUIRED:
                words = "tool_choice demands a call, but the request's tools are not served here (TOOLS_MODE)"
                raise InvalidRequest(words, param="tool_choice")
            record.ignored.append("tools")
        return replace(turn, tools=(), tool_choice=ToolChoice())

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

    def _affine(self, turn: Turn, key_id: str) -> str | None:
        """The account to which conversations like this one go, of those with the fewest turns."""
        suitable = [each for each in self._pool.instances if each.ready and self._offers(turn, each)]
        fewest = min((each.in_flight for each in suitable), default=0)
        return affinity.preferred(turn, key_id, (each.name for each in suitable if each.in_flight == fewest))

    def _offers(self, turn: Turn, instance: Instance) -> bool:
        return self._settings.names.offered(turn.model, instance.models)

    def retire(self) -> None:
        """Have the sessions deleted that were given up or have expired."""
        instances = {instance.name: instance for instance in self._pool.instances}
        kept = self._continuing.retired() if self._continuing is not self._apart else ()
        for retired in (*kept, *self._apart.retired()):
            try:
                self._deletions.start(instances[retired.account].connected(), retired.session_id)
            except UpstreamLost as error:
                # It stays: a row in Lingma's database that nobody reads.
                event(log, "lingma_session_not_deleted", level=logging.DEBUG, reason=error.message)

    async def settle(self) -> None:
        """Give up all sessions; until each has been deleted, or its connection is gone."""
        self._continuing.clear()
        self.retire()
        await self._deletions.settle()
