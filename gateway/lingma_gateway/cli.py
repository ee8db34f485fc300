"""`lingma-gateway`: `serve` alone, `sidecar` in a pod, and the tools of `lingma_gateway.commands`.

Only `serve` and `sidecar` read the gateway's settings: a tool never fails for a setting that it does not use.
"""

import argparse
import logging
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop
from pydantic import SecretStr, ValidationError

from lingma_contract import jsonlog
from lingma_gateway import runtime, settingsdoc, simulation
from lingma_gateway.accounts import Account
from lingma_gateway.api.app import admin_app, client_app
from lingma_gateway.commands import CommandFailed, bootstrap, health, record, session, smoke
from lingma_gateway.login.credentials import NO_CREDENTIALS
from lingma_gateway.runtime import ConfigurationError
from lingma_gateway.server import Endpoint, Servers
from lingma_gateway.settings import Settings

log = logging.getLogger(__name__)

_LOOPBACK = "127.0.0.1"
"""Where `serve` listens until somebody says otherwise: a person's machine is not a pod."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the console script."""
    options = _parser().parse_args(arguments)
    try:
        code = options.run(options)
    except CommandFailed as error:
        code = _refuse(str(error), status=1)
    except ValidationError as error:
        code = _refuse("; ".join(f"{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors()))
    except (ConfigurationError, OSError) as error:
        code = _refuse(str(error))
    sys.exit(code)


def _refuse(message: str, status: int = 2) -> int:
    print(f"lingma-gateway: {message}", file=sys.stderr)
    return status


def _settings() -> Settings:
    settings = Settings()
    jsonlog.configure(settings.log_level)
    return settings


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lingma-gateway", description="OpenAI and Anthropic APIs for Lingma.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="run alone, with Lingma processes of its own")
    serve.add_argument("--simulate", nargs="?", type=int, const=2, metavar="N", help="N simulated accounts (2)")
    serve.add_argument("--host", help="address to listen on (HOST, 127.0.0.1)")
    serve.add_argument("--port", type=int, help="port to listen on (PORT, 8317)")
    serve.set_defaults(run=_serve)
    sidecar = commands.add_parser("sidecar", help="run beside the Lingma of this pod")
    sidecar.set_defaults(run=_sidecar)
    telling = commands.add_parser("settings", help="print the settings, their meanings and defaults")
    form = telling.add_mutually_exclusive_group(required=True)
    form.add_argument("--env-example", action="store_true", help="as an .env file")
    form.add_argument("--markdown", metavar="FILE", type=Path, help="FILE, its tables of settings made anew")
    telling.set_defaults(run=_settings_text)
    health.add_to(commands)
    session.add_to(commands)
    bootstrap.add_to(commands)
    record.add_to(commands)
    smoke.add_to(commands)
    return parser


def _serve(options: argparse.Namespace) -> int:
    settings = _settings()
    overrides: dict[str, object] = {}
    if options.host is not None or "host" not in settings.model_fields_set:
        overrides["host"] = options.host or _LOOPBACK
    if options.port is not None:
        overrides["port"] = options.port
    if "agent_mode" not in settings.model_fields_set:
        overrides["agent_mode"] = "on"
    if options.simulate is not None and not settings.api_keys.get_secret_value():
        overrides["api_keys"] = SecretStr(simulation.API_KEY)
    uvloop.run(_serve_alone(settings.model_copy(update=overrides), options.simulate))
    return 0


async def _serve_alone(settings: Settings, simulate: int | None) -> None:
    async with AsyncExitStack() as stack:
        if simulate is None:
            accounts = runtime.standalone_accounts(settings)
        else:
            base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lingma-sim-")))
            accounts = tuple(Account(name, NO_CREDENTIALS) for name in simulation.account_names(simulate))
            settings = await simulation.prepare(settings, base, [account.name for account in accounts])
        identity = runtime.standalone_identity(settings)
        pool = runtime.make_pool(settings)
        instances = runtime.spawned(settings, pool, accounts)
        services = await stack.enter_async_context(runtime.running_services(settings, identity, pool, instances))
        endpoint = Endpoint(client_app(services, with_admin=True), settings.host, settings.port)
        servers = Servers([endpoint], services)
        servers.stop_on_signals()
        if simulate is not None:
            print(simulation.greeting(servers.ports[0], [account.name for account in accounts]), file=sys.stderr)
        if not settings.admin_token.get_secret_value():
            log.warning("ADMIN_TOKEN is not set: the API keys open /internal, where sessions can be exported")
        if settings.allow_anonymous:
            log.warning("ALLOW_ANONYMOUS is set: whoever reaches this port uses the accounts")
        await servers.serve()


def _sidecar(_options: argparse.Namespace) -> int:
    settings = _settings()
    if not settings.metrics_token.get_secret_value():
        # The second port is closed to all but the operator and monitoring by the account's NetworkPolicy.
        settings = settings.model_copy(update={"metrics_public": True})
    uvloop.run(_serve_sidecar(settings))
    return 0


async def _serve_sidecar(settings: Settings) -> None:
    identity = runtime.sidecar_identity(settings)
    pool = runtime.make_pool(settings)
    instances = runtime.attached(settings, pool)
    async with runtime.running_services(settings, identity, pool, instances) as services:
        endpoints = [
            Endpoint(client_app(services, with_admin=False), settings.host, settings.port),
            Endpoint(admin_app(services), settings.host, settings.admin_port),
        ]
        servers = Servers(endpoints, services)
        servers.stop_on_signals()
        await servers.serve()


def _settings_text(options: argparse.Namespace) -> int:
    if options.env_example:
        text = settingsdoc.env_example()
    else:
        text = settingsdoc.with_table(options.markdown.read_text(encoding="utf-8"))
    print(text, end="")
    return 0
