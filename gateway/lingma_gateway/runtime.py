"""Puts a gateway together from its settings: as the sidecar of one Lingma, or alone with Lingmas of its own."""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from pydantic import SecretStr

from lingma_contract.apikeys import ApiKeys
from lingma_contract.jsonlog import event
from lingma_gateway import accounts
from lingma_gateway.accounts import Account, AccountsError, BundleSource
from lingma_gateway.aliases import Aliases
from lingma_gateway.identity import Identity, SidecarIdentity, StandaloneIdentity
from lingma_gateway.lingma.exchange import Manner
from lingma_gateway.lingma.instance import Instance, InstanceSettings, running
from lingma_gateway.lingma.models import Names
from lingma_gateway.lingma.process import LingmaProcess
from lingma_gateway.login.configured import Logins
from lingma_gateway.pool import Pool, PoolSettings
from lingma_gateway.services import Services
from lingma_gateway.sessions.cache import SessionCache
from lingma_gateway.sessions.responsefile import Limits
from lingma_gateway.sessions.responses import ResponseStore
from lingma_gateway.sessions.source import SessionSource
from lingma_gateway.settings import Settings
from lingma_gateway.sharing import SharedAnswers, SharingSettings
from lingma_gateway.showing import Showing
from lingma_gateway.telemetry.metrics import Metrics
from lingma_gateway.tools import Grammars, prepare
from lingma_gateway.turns import ToolSettings, Turns, TurnSettings

log = logging.getLogger(__name__)

_SWEEP_S = 30.0
"""Between two looks for sessions that have expired."""
_DEFAULT_WORK_DIR = Path("~/.lingma")
_MEGABYTE = 1024 * 1024
_OF_ONE_ACCOUNT = (
    "lingma_username",
    "lingma_password",
    "lingma_personal_token",
    "lingma_access_key",
    "lingma_secret_key",
    "lingma_session_bundle",
)
"""Settings that LINGMA_ACCOUNTS takes the place of; each has a form that names a file, too."""

_SECRETS = frozenset(name.upper() for name, field in Settings.model_fields.items() if field.annotation is SecretStr)
"""Variables that a Lingma of ours does not inherit: its agent can read its environment."""


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
    return StandaloneIdentity.create(
        keys, settings.allow_anonymous, settings.lingma_account_uid, settings.admin_token.get_secret_value().strip()
    )


def attached(settings: Settings, pool: Pool) -> list[Instance]:
    """The Lingma in the next container: found, never started or ended."""
    logins = Logins(settings)
    account = Account(settings.lingma_account, None, _bundle(settings))
    return [_instance(settings, account, settings.lingma_work_dir, None, pool, logins)]


def standalone_accounts(settings: Settings) -> tuple[Account, ...]:
    """The accounts that `serve` runs, from its settings.

    Raises:
        ConfigurationError: LINGMA_ACCOUNTS cannot be read.
    """
    text = settings.lingma_accounts.get_secret_value()
    try:
        found = accounts.configured(text, settings.lingma_instance_count, _bundle(settings))
    except AccountsError as error:
        raise ConfigurationError(str(error)) from error
    if text.strip():
        names = [name for each in _OF_ONE_ACCOUNT for name in (each, f"{each}_file")]
        unused = [name.upper() for name in names if name in settings.model_fields_set and _is_set(settings, name)]
        if unused:
            event(log, "settings_unused", level=logging.WARNING, because=accounts.VARIABLE, unused=unused)
    if len(found) > 1 and settings.lingma_socket_port:
        event(log, "settings_unused", level=logging.WARNING, because="several accounts", unused=["LINGMA_SOCKET_PORT"])
    return found


def _is_set(settings: Settings, name: str) -> bool:
    value = getattr(settings, name)
    return bool(value.get_secret_value() if isinstance(value, SecretStr) else value)


def _bundle(settings: Settings) -> BundleSource:
    file = settings.lingma_session_bundle_file
    return BundleSource(None if file is None else str(file), settings.lingma_session_bundle.get_secret_value())


def spawned(settings: Settings, pool: Pool, of: Sequence[Account]) -> list[Instance]:
    """Lingmas of our own, a work directory and ports each; a single one uses LINGMA_WORK_DIR itself."""
    base = settings.lingma_work_dir.expanduser()
    logins = Logins(settings)
    alone = len(of) == 1
    environment = {name: value for name, value in os.environ.items() if name.upper() not in _SECRETS}
    instances = []
    for account in of:
        work_dir = base if alone else base / account.name
        process = LingmaProcess(
            account.name,
            settings.lingma_bin,
            work_dir,
            environment=environment,
            socket_port=settings.lingma_socket_port if alone else 0,
            also_info_in=_DEFAULT_WORK_DIR.expanduser() if alone else None,
        )
        instances.append(_instance(settings, account, work_dir, process, pool, logins))
    return instances


def _instance(
    settings: Settings, account: Account, work_dir: Path, process: LingmaProcess | None, pool: Pool, logins: Logins
) -> Instance:
    instance_settings = InstanceSettings(
        name=account.name,
        work_dir=work_dir,
        rpc_timeout_s=settings.lingma_rpc_timeout,
        startup_timeout_s=settings.lingma_startup_timeout,
        ping_interval_s=settings.lingma_ping_interval,
        max_in_flight=settings.gateway_max_in_flight,
    )
    bundle_file = None if account.bundle.file is None else Path(account.bundle.file).expanduser()
    source = SessionSource(work_dir, bundle_file, account.bundle.text, settings.lingma_captured_dir)
    authenticator = logins.of(account.name, work_dir, source, account.credentials)
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
    names = Names(settings.default_model, Aliases.parse(settings.model_aliases))
    turn_settings = TurnSettings(
        manner=Manner(settings.first_event_timeout, settings.idle_timeout, settings.chat_ask_as == "request"),
        names=names,
        reject_unknown_model=settings.unknown_model == "reject",
        locale=settings.locale,
        showing=Showing(settings.image_upload_enabled, settings.unsupported_media == "reject"),
        tools=ToolSettings(
            settings.tools_mode == "emulate",
            Grammars.parse(settings.tools_grammar),
            settings.tools_description_tokens,
            settings.tools_log_content,
        ),
    )
    if settings.tools_mode == "emulate":
        prepare()  # a fifth of a second, now and not in the first request
    pool.instances = tuple(instances)
    async with AsyncExitStack() as stack:
        for instance in instances:
            await stack.enter_async_context(running(instance))
        sessions = _session_cache(settings)
        metrics.watch(sessions)
        turns = Turns(turn_settings, pool, metrics, sessions)
        stack.push_async_callback(turns.settle)
        responses = _response_store(settings)
        if responses is not None:
            stack.push_async_callback(responses.close)
        shared_answers = SharedAnswers(_sharing(settings))
        stack.push_async_callback(shared_answers.close)
        await stack.enter_async_context(_swept(turns))
        yield Services(
            settings, pool, turns, metrics, identity, names, sessions, responses, shared_answers=shared_answers
        )


def _session_cache(settings: Settings) -> SessionCache | None:
    if not settings.session_reuse_enabled or not settings.session_cache_max_entries:
        return None
    return SessionCache(settings.session_cache_max_entries, settings.session_cache_ttl_sec, time.monotonic)


@asynccontextmanager
async def _swept(turns: Turns) -> AsyncIterator[None]:
    """Sessions that have expired are deleted though no turn comes."""

    async def sweep() -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            turns.retire()

    task = asyncio.create_task(sweep(), name="session-sweep")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _response_store(settings: Settings) -> ResponseStore | None:
    if not settings.responses_store_enabled:
        return None
    limits = Limits(settings.responses_store_max_age, settings.responses_store_max_megabytes * _MEGABYTE)
    return ResponseStore(settings.lingma_work_dir.expanduser(), limits)


def _sharing(settings: Settings) -> SharingSettings:
    return SharingSettings(
        max_answers=settings.idempotency_max_answers,
        max_bytes=settings.idempotency_max_bytes,
        lifetime_s=settings.idempotency_ttl_sec,
        grace_s=settings.idempotency_grace_sec,
    )
