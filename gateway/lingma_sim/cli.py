"""`lingma-sim`: the command line of Lingma, and what tests and demos need to make simulated accounts."""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lingma_sim import LINGMA_VERSION, faults
from lingma_sim.faults import Chosen, FaultError
from lingma_sim.login import DEFAULT_LIFE_SECONDS

if TYPE_CHECKING:
    from lingma_sim.options import Options

FAULTS_VARIABLE = "LINGMA_SIM_FAULTS"
"""Faults to switch on, as `--fault` names them, separated by commas, or as a JSON object."""
CONTROL_VARIABLE = "LINGMA_SIM_CONTROL_PORT"
"""As `--controlPort`, where that is not given."""
ACCOUNTS_VARIABLE = "LINGMA_SIM_ACCOUNTS"
"""As `--accounts`, where that is not given."""


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
    start.add_argument("--infoJson", action="store_true", help="write .info.json instead of .info, as the IDE's does")
    start.add_argument("--parentPoll", type=float, default=1.0, help="seconds between looks at processId")
    start.add_argument("--record", type=Path, default=None, help="file that takes every frame, masked")
    start.add_argument("--fault", type=_fault, action="append", default=[], help="NAME[=VALUE][*TIMES]; repeatable")
    start.add_argument("--controlPort", type=_port, default=None, help="control over HTTP; 0: any (default: none)")
    start.add_argument("--loginPort", type=_port, default=None, help="the login page; 0: any (default: --httpPort)")
    start.add_argument("--accounts", type=Path, default=None, help="JSON file of who may log in")
    start.add_argument("--replay", type=Path, default=None, help="recorded frames to answer with")
    start.add_argument("--report", type=Path, default=None, help="smoke report of a version to imitate")
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


def _fault(text: str) -> Chosen:
    try:
        return faults.parse_one(text)
    except FaultError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from problem


class _Unusable(Exception):
    """A file or variable that `start` cannot use. Its text is for who wrote it."""


def _start(options: argparse.Namespace) -> int:
    import asyncio

    try:
        chosen = _options(options)
    except _Unusable as problem:
        print(f"lingma-sim: {problem}", file=sys.stderr)
        return 2
    asyncio.run(_run(chosen))
    return 0


async def _run(options: "Options") -> None:
    import asyncio
    import signal

    from lingma_sim.server import Simulator

    simulator = Simulator(options)

    def terminate() -> None:
        if simulator.faults.take("ignore-sigterm") is None:
            simulator.ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, terminate)
    async with simulator:
        await simulator.ended.wait()


def _options(given: argparse.Namespace) -> "Options":
    """What `start` runs with, files and environment read."""
    from lingma_sim import accounts, replay, report
    from lingma_sim.options import Options

    accounts_file = given.accounts or _path(os.environ.get(ACCOUNTS_VARIABLE))
    control_port = given.controlPort
    try:
        if control_port is None and os.environ.get(CONTROL_VARIABLE):
            control_port = _port(os.environ[CONTROL_VARIABLE])
        return Options(
            work_dir=given.workDir,
            socket_port=given.socketPort,
            http_port=given.httpPort,
            endpoint=given.endpoint,
            info_lines=given.infoLines,
            info_json=given.infoJson,
            ack_timeout=given.ackTimeout,
            tool_timeout=given.toolTimeout,
            parent_poll=given.parentPoll,
            record=given.record,
            control_port=control_port,
            login_port=given.loginPort,
            faults=(*faults.parse(os.environ.get(FAULTS_VARIABLE, "")), *given.fault),
            accounts=accounts.parse(accounts_file.read_text()) if accounts_file else accounts.Accounts(),
            capture=replay.parse(given.replay.read_text()) if given.replay else None,
            report=report.parse(given.report.read_text()) if given.report else report.Report(),
        )
    except (OSError, ValueError, argparse.ArgumentTypeError) as problem:
        raise _Unusable(str(problem)) from problem


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


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
