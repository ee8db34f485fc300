"""One turn: take a slot, have it answered, give everything back. Every exit releases what it took."""

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from lingma_contract.jsonlog import event
from lingma_gateway.answering import Answering, Desk
from lingma_gateway.conversation import Turn
from lingma_gateway.errors import LoginLost, ModelNotFound, NoReadyAccount, UpstreamLost
from lingma_gateway.events import StreamEvent
from lingma_gateway.lingma import models
from lingma_gateway.lingma.exchange import Manner
from lingma_gateway.lingma.instance import Instance
from lingma_gateway.lingma.retiring import Deletions
from lingma_gateway.pool import Pool
from lingma_gateway.record import TurnRecord
from lingma_gateway.sessions.continuing import Continuing, Fresh, Retired
from lingma_gateway.telemetry.metrics import Metrics

log = logging.getLogger(__name__)


_NO_MODEL_RETRY_S = 5.0


@dataclass(frozen=True, slots=True)
class TurnSettings:
    manner: Manner
    names: models.Names
    reject_unknown_model: bool
    locale: str


class Turns:
    """Runs turns on a pool."""

    def __init__(
        self, settings: TurnSettings, pool: Pool, metrics: Metrics, continuing: Continuing | None = None
    ) -> None:
        """Without `continuing` each turn has a session of its own."""
        self._settings = settings
        self._pool = pool
        self._continuing = continuing or Fresh()
        self._desk = Desk(settings.manner, settings.locale, metrics)
        self._deletions = Deletions()

    async def run(self, turn: Turn, record: TurnRecord) -> AsyncGenerator[list[StreamEvent], None]:
        """The events of one turn, those that came together in one list. Closing the generator stops the turn upstream.

        Raises:
            GatewayError: it could not be run, or broke off.
        """
        self._refuse_unknown(turn)
        names = self._settings.names
        preferred = self._continuing.preferred(turn, record.key_id)
        async with self._pool.slot(preferred, lambda each: names.offered(turn.model, each.models)) as instance:
            record.account = instance.name
            record.model = self._model(turn, instance)
            place = self._continuing.place(turn, record.key_id, instance.name, record.model)
            answering = Answering(place, instance, record, self._desk)
            try:
                async with aclosing(answering.events()) as events:
                    async for produced in events:
                        yield produced
            except LoginLost:
                instance.suspect_login()
                raise
            finally:
                if answering.complete is None:
                    self._retire(self._continuing.failed(place, answering.session_id))
                else:
                    self._retire(self._continuing.succeeded(place, answering.session_id, answering.complete))

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

    def _retire(self, sessions: Sequence[Retired]) -> None:
        instances = {instance.name: instance for instance in self._pool.instances}
        for retired in sessions:
            try:
                self._deletions.start(instances[retired.account].connected(), retired.session_id)
            except UpstreamLost as error:
                # It stays: a row in Lingma's database that nobody reads.
                event(log, "lingma_session_not_deleted", level=logging.DEBUG, reason=error.message)

    async def settle(self) -> None:
        """Until every session that was to be deleted has been, or its connection is gone."""
        await self._deletions.settle()
