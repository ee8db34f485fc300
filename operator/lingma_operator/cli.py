"""`lingma-operator run` and `lingma-operator crd`."""

import argparse
import asyncio
import logging
import os
import sys

from lingma_contract import jsonlog


def main(arguments: list[str] | None = None) -> int:
    """The console script; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="lingma-operator", description="Runs LingmaAccounts on Kubernetes. Settings come from the environment."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="operate until SIGTERM")
    commands.add_parser("crd", help="print the CustomResourceDefinition")
    chosen = parser.parse_args(arguments).command
    return _crd() if chosen == "crd" else _run()


def _crd() -> int:
    from lingma_operator.crd import rendered

    sys.stdout.write(rendered())
    return 0


def _run() -> int:
    # Imported here: `crd` needs neither kopf nor the Kubernetes client.
    import uvloop

    from lingma_operator.app import run, take_signals
    from lingma_operator.cluster import connection
    from lingma_operator.settings import Settings, SettingsError

    try:
        settings = Settings.from_environment(os.environ)
        jsonlog.configure(settings.log_level)
    except (SettingsError, ValueError) as error:
        sys.stderr.write(f"lingma-operator: {error}\n")
        return 2
    # Kopf tells of every event; at its debug level it would also tell what is in them.
    logging.getLogger("kopf").setLevel(logging.WARNING)

    async def operate() -> None:
        stop = asyncio.Event()
        take_signals(stop)
        await run(settings, await connection(), stop)

    uvloop.run(operate())
    return 0
