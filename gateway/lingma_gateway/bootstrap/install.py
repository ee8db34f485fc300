"""Puts Lingma in place: `DIR/<version>-<architecture>-<sum>/`, and links `DIR/Lingma` and `DIR/LingmaLocal` to it.

A folder gets its name when it is complete, and never changes afterwards: a Lingma that runs keeps its files while
another version is installed. The links are relative, so that the folder can be copied into an image.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lingma_gateway.bootstrap import archive, source
from lingma_gateway.bootstrap.archive import BINARY, HELPER
from lingma_gateway.bootstrap.errors import BootstrapError
from lingma_gateway.bootstrap.source import Progress

_SUM_FILE = ".sha256"
_SUM_CHARS = 12
"""Of the sum, in the folder's name; the whole sum is in a file in it."""
_STAGING = ".bootstrap-"


@dataclass(frozen=True, slots=True)
class MinimumSizes:
    """Below these (bytes) a file is taken for a stub or an error page and refused."""

    binary: int = 50 * 2**20
    helper: int = 5 * 2**20


@dataclass(frozen=True, slots=True)
class Installed:
    """Where Lingma is now."""

    binary: Path
    """The link, which stays the same across versions."""
    folder: Path
    """What it leads to."""
    already: bool
    """It was there before."""


def install(
    plugin: str,
    sha256: str,
    target: Path,
    architecture: str,
    *,
    minimum: MinimumSizes,
    progress: Progress,
) -> Installed:
    """Install the Lingma in `plugin` (a path or an https URL) into `target`. Quick when it is there already.

    Raises:
        BootstrapError: it cannot be had, is not what it should be, or `target` holds a Lingma that we did not install.
        OSError: `target` cannot be written.
    """
    for name in (BINARY, HELPER):
        if (target / name).exists() and not (target / name).is_symlink():
            raise BootstrapError(f"{target / name} was not put there by bootstrap: choose another folder")
    folder = _present(target, sha256, architecture)
    already = folder is not None
    if folder is None:
        with source.opened(plugin, sha256, progress) as outer, archive.nested(outer) as binaries:
            where = archive.layout(binaries, architecture)
            target.mkdir(parents=True, exist_ok=True, mode=0o755)
            with tempfile.TemporaryDirectory(dir=target, prefix=_STAGING) as staging:
                staged = Path(staging) / "unpacked"
                staged.mkdir(mode=0o755)
                archive.unpack(binaries, where, staged)
                _check_sizes(staged, minimum)
                (staged / _SUM_FILE).write_text(f"{sha256}\n")
                folder = target / f"{where.version}-{architecture}-{sha256[:_SUM_CHARS]}"
                _replace_folder(staged, folder, Path(staging) / "replaced")
    for name in (HELPER, BINARY):
        _link(target / name, f"{folder.name}/{name}")
    return Installed(target / BINARY, folder, already)


def _present(target: Path, sha256: str, architecture: str) -> Path | None:
    for folder in sorted(target.glob(f"*-{architecture}-{sha256[:_SUM_CHARS]}")):
        sum_file = folder / _SUM_FILE
        if sum_file.is_file() and sum_file.read_text().strip() == sha256:
            if all(os.access(folder / name, os.X_OK) for name in (BINARY, HELPER)):
                return folder
    return None


def _check_sizes(folder: Path, minimum: MinimumSizes) -> None:
    for name, least in ((BINARY, minimum.binary), (HELPER, minimum.helper)):
        size = (folder / name).stat().st_size
        if size < least:
            raise BootstrapError(f"{name} has only {size} bytes, not {least} or more: nothing was installed")


def _replace_folder(staged: Path, folder: Path, aside: Path) -> None:
    if folder.exists():
        # It was found incomplete; somebody took files out of it.
        os.replace(folder, aside)
    os.replace(staged, folder)
    shutil.rmtree(aside, ignore_errors=True)


def _link(link: Path, destination: str) -> None:
    """Point `link` there; it is the old one or the new one at any time."""
    if link.is_symlink() and os.readlink(link) == destination:
        return
    temporary = link.with_name(f"{_STAGING}{link.name}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(destination)
    os.replace(temporary, link)
