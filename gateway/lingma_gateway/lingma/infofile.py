"""Where Lingma listens: `.info` in its work directory, two or three lines: port, pid, sometimes a pipe path."""

from dataclasses import dataclass
from pathlib import Path

INFO_NAME = ".info"


@dataclass(frozen=True, slots=True)
class Info:
    """What `.info` said. `version` changes whenever the file is written anew."""

    port: int
    pid: int | None
    version: tuple[int, int]


def read(work_dir: Path) -> Info | None:
    """The current `.info`; None while there is none or it is only half written."""
    path = work_dir / INFO_NAME
    try:
        status = path.stat()
        lines = path.read_text(encoding="utf-8", errors="replace").split()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not lines or not lines[0].isdigit() or not 0 < int(lines[0]) < 65536:
        return None
    pid = int(lines[1]) if len(lines) > 1 and lines[1].isdigit() else None
    return Info(int(lines[0]), pid, (status.st_mtime_ns, status.st_ino))
