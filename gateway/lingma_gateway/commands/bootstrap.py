"""`lingma-gateway bootstrap`: Lingma's binary out of the plugin that its provider publishes."""

import argparse
import platform
import re
import sys
from pathlib import Path

from lingma_gateway.bootstrap import architecture
from lingma_gateway.bootstrap.errors import BootstrapError
from lingma_gateway.bootstrap.install import MinimumSizes, install
from lingma_gateway.commands import CommandFailed

_SHA256 = re.compile(r"[0-9a-f]{64}")
_STEP_BYTES = 32 * 2**20
_MEGABYTE = 2**20


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("bootstrap", help="unpack Lingma's binary from its VSIX or JetBrains plugin")
    parser.add_argument("--vsix", required=True, metavar="FILE|URL", help="the plugin: a VSIX, or the JetBrains jar")
    parser.add_argument("--sha256", required=True, type=_sum, metavar="SUM", help="its SHA-256, which must match")
    parser.add_argument("--to", required=True, type=Path, metavar="DIR", help="gets DIR/Lingma and DIR/LingmaLocal")
    parser.add_argument("--arch", choices=architecture.ARCHITECTURES, help="instead of this machine's")
    parser.add_argument("--allow-small", action="store_true", help="take binaries of any size (made-up ones in tests)")
    parser.set_defaults(run=_bootstrap)


def _sum(text: str) -> str:
    if not _SHA256.fullmatch(text.lower()):
        raise argparse.ArgumentTypeError("a SHA-256 has 64 hexadecimal digits")
    return text.lower()


def _bootstrap(options: argparse.Namespace) -> int:
    wanted = options.arch or architecture.named(platform.system(), platform.machine())
    if wanted is None:
        raise CommandFailed(f"there is no Lingma for {platform.system()} on {platform.machine()}: name one with --arch")
    minimum = MinimumSizes(0, 0) if options.allow_small else MinimumSizes()
    try:
        installed = install(
            options.vsix,
            options.sha256,
            options.to.expanduser(),
            wanted,
            minimum=minimum,
            progress=_Progress(),
        )
    except BootstrapError as error:
        raise CommandFailed(str(error)) from error
    words = "is already in" if installed.already else "is in"
    print(f"Lingma {words} {installed.folder}", file=sys.stderr)
    # The one line on standard output: LINGMA_BIN=$(lingma-gateway bootstrap …)
    print(installed.binary)
    return 0


class _Progress:
    """A line on standard error for every so many bytes."""

    def __init__(self) -> None:
        self._next = _STEP_BYTES

    def __call__(self, size: int, total: int | None) -> None:
        if size < self._next:
            return
        self._next = size + _STEP_BYTES
        of = f" of {total // _MEGABYTE}" if total is not None else ""
        print(f"read {size // _MEGABYTE}{of} MB", file=sys.stderr)
