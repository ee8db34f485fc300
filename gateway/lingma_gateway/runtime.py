"""Puts a gateway together from its settings: as the sidecar of one Lingma, or alone with Lingmas of its own."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from lingma_contract.apikeys import ApiKeys
from lingma_gateway.identity import Identity, SidecarIdentity, StandaloneIdentity
from lingma_gateway.lingma.instance import Instance, InstanceSettings, running
from lingma_gateway.lingma.process import LingmaProcess
from lingma_gateway.login.configured import Logins
from lingma_gateway.pool import Pool, PoolSettings
from lingma_gateway.services import Services
from lingma_gateway.sessions.source import SessionSource
from lingma_gateway.settings import Settings
from lingma_gateway.telemetry.metrics import Metrics
from lingma_gateway.turns import Turns, TurnSettings


class ConfigurationError(Exception):
    """The gateway cannot start with these settings; the message says which one and what to do."""


def sidecar_identity(settings: Settings) -> Identity:
    """The identity that the operator derived for this account.

    Raises:
        ConfigurationError: its files are missing.
    """
    folder = settings.lingma_credentials_dir
    if folder is None:
        raise ConfigurationError("LINGMA_CREDENTIALS_DIR is not set: it is the mounted Secret <account>-gateway")
    try:
        return SidecarIdentity(folder, settings.lingma_account_uid)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"the credentials in {folder} cannot be read: {error}") from error


def standalone_identity(settings: Settings) -> Identity:
    """An identity from API_KEYS.

    Raises:
        ConfigurationError: there are none, and ALLOW_ANONYMOUS does not say that this is meant.
    """
    try:
        keys = ApiKeys.from_setting(settings.api_keys.get_secret_value())
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    if not keys and not settings.allow_anonymous:
        raise ConfigurationError(
            "API_KEYS is not set: whoever reaches the port could use your accounts. "
            "Set API_KEYS=KEY[,KEY…], or ALLOW_ANONYMOUS=true if that is what you want"
        )
    return StandaloneIdentity.create(keys, settings.allow_anonymous, settings.lingma_account_uid)


def attached(settings: Settings, pool: Pool) -> list[Instance]:
    """The Lingma in the next container: found, never started or ended."""
    logins = Logins(settings)
    return [_instance(settings, settings.lingma_account, settings.lingma_work_dir, None, pool, logins)]


def spawned(settings: Settings, pool: Pool, names: list[str]) -> list[Instance]:
    """Lingmas of our own, a work directory each; a single one uses LINGMA_WORK_DIR itself."""
    base = settings.lingma_work_dir.expanduser()
    logins = Logins(settings)
    instances = []
    for name in names:
        work_dir = base if len(names) == 1 else base / name
        process = LingmaProcess(name, settings.lingma_bin, work_dir)
        instances.append(_instance(settings, name, work_dir, process, pool, logins))
    return instances


def _instance(
    settings: Settings, name: str, work_dir: Path, process: LingmaProcess | None, pool: Pool, logins: Logins
) -> Instance:
    instance_settings = InstanceSettings(
        name=name,
        work_dir=work_dir,
        rpc_timeout_s=settings.lingma_rpc_timeout,
        startup_timeout_s=settings.lingma_startup_timeout,
        ping_interval_s=settings.lingma_ping_interval,
        max_in_flight=settings.gateway_max_in_flight,
    )
    source = SessionSource(work_dir, settings.lingma_session_bundle_file)
    authenticator = logins.of(name, work_dir, source)
    return Instance(instance_settings, source, process, pool.changed, authenticator=authenticator)


def make_pool(settings: Settings) -> Pool:
    """An empty pool."""
    return Pool(PoolSettings(settings.gateway_queue_timeout_sec, settings.gateway_max_queued))


@asynccontextmanager
async def running_services(
    settings: Settings, identity: Identity, pool: Pool, instances: list[Instance]
) -> AsyncIterator[Services]:
    """The services, with every instance supervised until the block ends. One that fails holds up none of the others."""
    metrics = Metrics(pool)
    turn_settings = TurnSettings(
        first_event_timeout_s=settings.first_event_timeout,
        idle_timeout_s=settings.idle_timeout,
        default_model=settings.default_model,
        reject_unknown_model=settings.unknown_model == "reject",
        locale=settings.locale,
        ask_as_request=settings.chat_ask_as == "request",
    )
    pool.instances = tuple(instances)
    async with AsyncExitStack() as stack:
        for instance in instances:
            await stack.enter_async_context(running(instance))
        turns = Turns(turn_settings, pool, metrics)
        stack.push_async_callback(turns.settle)
        yield Services(settings, pool, turns, metrics, identity)
