"""The gateway's application in this process, on turns that a test makes up."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

import httpx
from starlette.types import ASGIApp

from lingma_contract.apikeys import ApiKeys
from lingma_gateway.aliases import Aliases
from lingma_gateway.api.app import client_app
from lingma_gateway.conversation import Turn
from lingma_gateway.events import StreamEvent
from lingma_gateway.identity import StandaloneIdentity
from lingma_gateway.lingma.instance import Instance
from lingma_gateway.lingma.models import Names
from lingma_gateway.outlet import Outlet
from lingma_gateway.pool import Pool
from lingma_gateway.record import TurnRecord
from lingma_gateway.runtime import make_pool
from lingma_gateway.services import Services
from lingma_gateway.settings import Settings
from lingma_gateway.sharing import SharedAnswers, SharingSettings
from lingma_gateway.telemetry.metrics import Metrics
from lingma_gateway.turns import Turns

KEY = {"authorization": "Bearer sk-a"}
ADMIN = {"authorization": "Bearer admin"}

Script = Callable[[Turn], AsyncGenerator[list[StreamEvent], None]]


class ScriptedTurns(Turns):
    """Turns of a script, each on a slot of the pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.script: Script = scripted()
        self.begun = 0
        self.stopped = 0
        """How many ended before their end."""

    async def run(
        self, turn: Turn, record: TurnRecord, outlet: Outlet | None = None
    ) -> AsyncGenerator[list[StreamEvent], None]:
        async with self._pool.slot(key_id=record.key_id) as instance:
            record.account, record.model, record.queued_s = instance.name, "org_auto", 0.0
            self.begun += 1
            complete = False
            produced = self.script(turn)
            try:
                async for events in produced:
                    record.first_event_s = 0.0
                    yield events
                complete = True
            finally:
                self.stopped += not complete
                await produced.aclose()


def scripted(*batches: Sequence[StreamEvent], then: BaseException | asyncio.Event | None = None) -> Script:
    """These events, and then a failure, or nothing more until the event is set."""

    async def run(turn: Turn) -> AsyncGenerator[list[StreamEvent], None]:
        for batch in batches[:-1]:
            yield list(batch)
        if isinstance(then, asyncio.Event):
            await then.wait()
        if batches:
            yield list(batches[-1])
        if isinstance(then, BaseException):
            raise then

    return run


def settings_of(**fields: object) -> Settings:
    """Settings with the keys of these tests."""
    given = {"api_keys": "team-a=sk-a,team-b=sk-b", "admin_token": "admin", "metrics_token": "metrics", **fields}
    return Settings.model_validate(given)


def services_of(
    *accounts: Instance, settings: Settings | None = None, sharing: SharingSettings | None = None
) -> tuple[Services, ScriptedTurns]:
    """Services with these accounts, and their turns, which have no script yet."""
    settings = settings or settings_of()
    pool: Pool = make_pool(settings)
    pool.instances = accounts
    names = Names(settings.default_model, Aliases.parse(settings.model_aliases))
    metrics = Metrics(pool)
    turns = ScriptedTurns(pool)
    keys = ApiKeys.from_setting(settings.api_keys.get_secret_value())
    identity = StandaloneIdentity.create(keys, False, "uid", settings.admin_token.get_secret_value())
    shared = SharedAnswers(sharing or SharingSettings())
    return Services(settings, pool, turns, metrics, identity, names, shared_answers=shared), turns


def app_of(services: Services) -> ASGIApp:
    """The application that a gateway on its own serves."""
    return client_app(services, with_admin=True)


def client_of(services: Services, app: ASGIApp | None = None) -> httpx.AsyncClient:
    """A client without a key, of the application that a gateway on its own serves or of another one."""
    transport = httpx.ASGITransport(app or app_of(services), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://gateway")
