"""The plugin's archive: where the binaries are in it, and their files, checked name by name and byte by byte.

A VSIX holds `extension/dist/bin/lingma-<version>.zip`, the JetBrains plugin's jar `binaries/lingma.zip`; in that nested
zip is `<version>/<architecture>/Lingma` with `LingmaLocal` beside it (protocol page, section 3: high confidence for
VSIX 2.5.20, the jar's nested layout is assumed to be the same).
"""

import re
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from lingma_gateway.bootstrap.errors import BootstrapError

BINARY = "Lingma"
HELPER = "LingmaLocal"
"""Must stay beside the binary."""

MAX_NESTED_BYTES = 2 * 2**30
MAX_UNPACKED_BYTES = 2 * 2**30
"""Of one architecture; the binary is about 100 MB."""
MAX_FILES = 2000

_CHUNK_BYTES = 2**20
_NESTED = re.compile(r"extension/dist/bin/lingma-(?P<version>[0-9A-Za-z._-]+)\.zip|binaries/lingma\.zip")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")
_READ_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)
"""What zipfile raises for damaged, encrypted (RuntimeError) and unusually compressed (NotImplementedError) members."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where in the nested zip one architecture's files are."""

    version: str
    members: dict[str, str]
    """Name in the zip by path relative to the binary's folder."""


@contextmanager
def nested(outer: BinaryIO) -> Iterator[zipfile.ZipFile]:
    """The zip inside the plugin's archive that holds the binaries.

    Raises:
        BootstrapError: `outer` is no such archive.
    """
    try:
        with zipfile.ZipFile(outer) as plugin, tempfile.TemporaryFile() as file:
            _copy(plugin, nested_name(plugin.namelist()), file, MAX_NESTED_BYTES)
            with zipfile.ZipFile(file) as binaries:
                yield binaries
    except _READ_ERRORS as error:
        raise BootstrapError(f"the archive cannot be unpacked: {error}") from error


def nested_name(names: Sequence[str]) -> str:
    """Which member of the plugin's archive holds the binaries.

    Raises:
        BootstrapError: none does, or it cannot be told which.
    """
    found = [name for name in names if _NESTED.fullmatch(name)]
    if not found:
        raise BootstrapError(
            "the archive holds neither extension/dist/bin/lingma-<version>.zip nor binaries/lingma.zip: "
            "it is no Lingma plugin, or of a form that is not known yet"
        )
    if len(found) > 1:
        raise BootstrapError(f"the archive holds several binaries: {', '.join(sorted(found))}")
    return found[0]


def layout(binaries: zipfile.ZipFile, architecture: str) -> Layout:
    """Where the files of `architecture` are.

    Raises:
        BootstrapError: it has none, or a member that must not be unpacked.
    """
    for info in binaries.infolist():
        _refuse_unsafe(info)
    found: dict[str, dict[str, str]] = {}
    for info in binaries.infolist():
        parts = PurePosixPath(info.filename).parts
        # `<version>/<architecture>/…`; the jar's zip may leave out the version.
        depth = next((index for index, part in enumerate(parts[:2]) if part == architecture), None)
        if depth is None or info.is_dir() or len(parts) == depth + 1:
            continue
        members = found.setdefault(parts[0] if depth else "unknown", {})
        relative = "/".join(parts[depth + 1 :])
        if relative in members:
            raise BootstrapError(f"the archive holds {info.filename!r} twice")
        members[relative] = info.filename
    complete = {version: members for version, members in found.items() if BINARY in members}
    if not complete:
        raise BootstrapError(f"the archive holds no Lingma for {architecture}")
    if len(complete) > 1:
        raise BootstrapError(f"the archive holds several versions: {', '.join(sorted(complete))}")
    [(version, members)] = complete.items()
    if not _VERSION.fullmatch(version):
        raise BootstrapError(f"the archive's version {version[:80]!r} is no version")
    if HELPER not in members:
        raise BootstrapError(f"the archive holds no {HELPER}, without which Lingma does not work")
    if len(members) > MAX_FILES:
        raise BootstrapError(f"the archive holds more than {MAX_FILES} files")
    return Layout(version, members)


def _refuse_unsafe(info: zipfile.ZipInfo) -> None:
    # zipfile's own extract() would bend such names into shape; an archive that holds one is not what it should be.
    name = info.filename
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or not path.parts:
        raise BootstrapError(f"the archive holds the unsafe name {name!r}")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise BootstrapError(f"the archive's {name!r} is no plain file")


def unpack(binaries: zipfile.ZipFile, where: Layout, target: Path) -> None:
    """Write the files into the empty folder `target`; the two programs can be run by everyone.

    Raises:
        BootstrapError: they are damaged, or larger than they may be.
    """
    left = MAX_UNPACKED_BYTES
    for relative, name in where.members.items():
        path = target / relative
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
            with path.open("xb") as file:
                left -= _copy(binaries, name, file, left)
        except (FileExistsError, NotADirectoryError) as error:
            raise BootstrapError(f"the archive holds {name!r} both as a file and as a folder") from error
        path.chmod(0o755 if relative in (BINARY, HELPER) or _is_program(binaries.getinfo(name)) else 0o644)


def _is_program(info: zipfile.ZipInfo) -> bool:
    return bool(info.external_attr >> 16 & stat.S_IXUSR)


def _copy(archive: zipfile.ZipFile, name: str, target: BinaryIO, limit: int) -> int:
    """Copy one member. What its header says of its size is not believed."""
    size = 0
    with archive.open(name) as source:
        while chunk := source.read(_CHUNK_BYTES):
            size += len(chunk)
            if size > limit:
                raise BootstrapError(f"the archive is too large when unpacked, at {name!r}")
            target.write(chunk)
    return size
