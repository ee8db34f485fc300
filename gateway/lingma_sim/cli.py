"""`lingma-sim`: the command line of Lingma, and what tests and demos need to make simulated accounts."""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

from lingma_sim import LINGMA_VERSION
from lingma_sim.login import DEFAULT_LIFE_SECONDS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit status."""
    options = _parser().parse_args(arguments)
    match options.command:
        case "start":
            return _start(options)
        case "status":
            return _status(options)
        case "bundle":
            return _bundle(options)
        case "login":
            return _login(options)
        case _:
            print(LINGMA_VERSION)
            return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lingma-sim", description="A stand-in for the Lingma process.", allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("start", help="run as Lingma does", allow_abbrev=False)
    start.add_argument("--workDir", type=Path, required=True)
    start.add_argument("--socketPort", type=_port, default=37010, help="WebSocket; 0: any (default 37010)")
    start.add_argument("--httpPort", type=_port, default=37510, help="HTTP; 0: any (default 37510)")
    start.add_argument("--transportType", choices=["websocket"], default="websocket")
    start.add_argument("--endpoint", default="")
    start.add_argument("--copyDataDir", default="", help="accepted; it did not carry a login in reality either")
    start.add_argument("--ackTimeout", type=float, default=10.0, help="seconds to wait for the reply to a push")
    start.add_argument("--toolTimeout", type=float, default=60.0, help="seconds to wait for the reply to tool/invoke")
    start.add_argument("--infoLines", type=int, choices=[2, 3], default=2)
    start.add_argument("--record", type=Path, default=None, help="file that takes every frame, masked")
    status = commands.add_parser("status", help="who is logged in", allow_abbrev=False)
    status.add_argument("-o", dest="output", choices=["json", "text"], default="text")
    status.add_argument("--workDir", type=Path, required=True)
    commands.add_parser("version", help="the Lingma version that is simulated")
    bundle = commands.add_parser("bundle", help="print a session bundle of a simulated account", allow_abbrev=False)
    login = commands.add_parser("login", help="log a simulated account in", allow_abbrev=False)
    login.add_argument("--workDir", type=Path, required=True)
    for command in (bundle, login):
        command.add_argument("--uid", required=True)
        command.add_argument("--expires-in", type=float, default=DEFAULT_LIFE_SECONDS, help="seconds (default 60 days)")
        command.add_argument("--broken", choices=["mismatch"], help="encrypted for another machine id")
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port")
    return port


def _start(options: argparse.Namespace) -> int:
    import asyncio
    import signal

    from lingma_sim.server import Options, Simulator

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        simulator = Simulator(
            Options(
                work_dir=options.workDir,
                socket_port=options.socketPort,
                http_port=options.httpPort,
                endpoint=options.endpoint,
                info_lines=options.infoLines,
                ack_timeout=options.ackTimeout,
                tool_timeout=options.toolTimeout,
                record=options.record,
            )
        )
        async with simulator:
            await stop.wait()

    asyncio.run(run())
    return 0


def _status(options: argparse.Namespace) -> int:
    from lingma_sim.login import LoginUnreadable, Status
    from lingma_sim.workdir import WorkDir

    try:
        account = WorkDir(options.workDir).account()
    except LoginUnreadable:
        account = None
    logged_in = account is not None and account.status(time.time()) is Status.LOGIN
    shown = {
        "logged_in": logged_in,
        "version": LINGMA_VERSION,
        "username": account.name if account else "",
        "user_type": account.user_type if account else "",
    }
    if options.output == "json":
        print(json.dumps(shown))
    else:
        print("\n".join(f"{name}: {value}" for name, value in shown.items()))
    return 0


def _bundle(options: argparse.Namespace) -> int:
    from lingma_contract.bundle import Bundle, encode

    print(encode(Bundle(_cache_files(options))))
    return 0


def _login(options: argparse.Namespace) -> int:
    from lingma_sim.workdir import WorkDir

    WorkDir(options.workDir).write_cache(_cache_files(options))
    return 0


def _cache_files(options: argparse.Namespace) -> dict[str, bytes]:
    from lingma_sim.login import cache_files

    return cache_files(options.uid, time.time(), options.expires_in, mismatched=options.broken == "mismatch")
