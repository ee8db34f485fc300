"""`lingma-gateway record`: a masked capture of what a client and a real Lingma say to each other (docs/capture.md)."""

import argparse
import asyncio
import getpass
import ipaddress
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

from lingma_contract import jsonlog
from lingma_contract.masking import Masker
from lingma_gateway.capture.announce import announced
from lingma_gateway.capture.recording import Recording, opened
from lingma_gateway.capture.tap import NoLingma, Tap, tapping
from lingma_gateway.commands import CommandFailed
from lingma_gateway.lingma import infofile

_LISTEN = "127.0.0.1:37110"
_UNTELLING = frozenset({"root", "user", "admin", "ubuntu", "debian", "localhost", "lingma", "runner", "nobody"})
"""Names of users and hosts that tell nobody anything and may be words of the protocol."""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("record", help="record what a client and a real Lingma say to each other, masked")
    parser.add_argument("--to", required=True, type=Path, metavar="FILE", help="a new file, readable by you only")
    parser.add_argument(
        "--listen", type=_address, default=_address(_LISTEN), metavar="HOST:PORT", help=f"for the client ({_LISTEN})"
    )
    lingma = parser.add_mutually_exclusive_group(required=True)
    lingma.add_argument("--port", type=_port, metavar="N", help="Lingma's WebSocket port on this machine")
    lingma.add_argument(
        "--work-dir", type=Path, metavar="DIR", help="Lingma's work directory, for the port in its .info"
    )
    parser.add_argument("--info-dir", type=Path, metavar="DIR", help="write .info here, so that clients find the tap")
    parser.add_argument("--keep-prompts", action="store_true", help="keep questions, answers, paths and tool arguments")
    parser.set_defaults(run=_record)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is no port")
    return int(text)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    try:
        loopback = ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no ADDRESS:PORT") from None
    if not loopback:
        raise argparse.ArgumentTypeError("whoever reaches the tap uses the account: only loopback addresses, please")
    if not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no ADDRESS:PORT")
    return host.strip("[]"), int(port)


def _record(options: argparse.Namespace) -> int:
    jsonlog.configure("warning", stream=sys.stderr)
    lingma_port = _lingma_port(options)
    try:
        file = opened(options.to)
    except FileExistsError:
        raise CommandFailed(f"{options.to} exists: choose another file, or move it away") from None
    with Recording(file, Masker(keep_prompts=options.keep_prompts, known=_known_names())) as recording:
        tap = asyncio.run(_until_signal(options, recording, lingma_port))
    undecoded = f"; {recording.undecoded} pieces were no frames and are left out" if recording.undecoded else ""
    print(f"{recording.frames} frames of {tap.connections} connections are in {options.to}{undecoded}", file=sys.stderr)
    return 0


async def _until_signal(options: argparse.Namespace, recording: Recording, lingma_port: Callable[[], int]) -> Tap:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    host, wanted = options.listen
    async with AsyncExitStack() as stack:
        tap, port = await stack.enter_async_context(tapping(recording, host, wanted, lingma_port))
        if options.info_dir is not None:
            stack.enter_context(announced(options.info_dir.expanduser(), port))
        print(f"recording ws://{host}:{port}/ to {options.to}; end with Ctrl-C", file=sys.stderr, flush=True)
        await stop.wait()
    return tap


def _lingma_port(options: argparse.Namespace) -> Callable[[], int]:
    """Where Lingma listens, asked again for each connection: a Lingma that restarts may take another port."""
    if options.port is not None:
        return lambda: int(options.port)
    work_dir: Path = options.work_dir.expanduser()

    def current() -> int:
        info = infofile.read(work_dir)
        if info is None:
            raise NoLingma(f"{work_dir} has no .info")
        return info.port

    try:
        first = current()
    except NoLingma as error:
        raise CommandFailed(f"{error}: no Lingma runs there; start it, or name its port with --port") from error
    info_dir: Path | None = options.info_dir
    if info_dir is not None and info_dir.expanduser().resolve() == work_dir.resolve():
        # From now on that file names the tap itself.
        return lambda: first
    return current


def _known_names() -> Iterator[str]:
    """Of the person and the machine, which no field of a message may give away."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = ""
    for name in (user, socket.gethostname()):
        if len(name) > 2 and name.lower() not in _UNTELLING:
            yield name
