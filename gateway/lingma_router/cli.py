"""`lingma-router`: reads its environment, serves until SIGTERM."""

import asyncio
import os
import signal
import sys

import uvloop
from kubernetes.aio.config import ConfigException

from lingma_contract import jsonlog
from lingma_router.app import serving
from lingma_router.cluster import access
from lingma_router.settings import Settings, SettingsError


def main() -> int:
    """The console script. 0 after a drain; 2 when the environment is wrong, with one line that says where."""
    try:
        settings = Settings.from_environ(os.environ)
    except SettingsError as error:
        print(f"lingma-router: {error}", file=sys.stderr)
        return 2
    jsonlog.configure(settings.log_level)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_main(settings))
    except ConfigException as error:
        print(f"lingma-router: neither a service account nor a kubeconfig: {error}", file=sys.stderr)
        return 2
    return 0


async def _main(settings: Settings) -> None:
    async with serving(settings, await access()) as router:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, router.stop.ask)
        await router.run()


if __name__ == "__main__":
    sys.exit(main())
