"""Where Lingma listens: `.info` in its work directory, two or three lines: port, pid, sometimes a pipe path."""

import re
from dataclasses import dataclass
from pathlib import Path

INFO_NAME = ".info"
_NUMBER = re.compile(r"[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class Info:
    """What `.info` said. `version` changes whenever the file is written anew."""

    port: int
    pid: int | None
    version: tuple[int, int]


def read(work_dir: Path) -> Info | None:
    """The current `.info`; None while there is none or it is only half written.

    Raises:
        OSError: there is one, and it cannot be read.
    """
    path = work_dir / INFO_NAME
    try:
        status = path.stat()
        text = path.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return None
    # Without the end of its line, the port may lack its last digits.
    first, line_end, rest = text.partition("\n")
    port = _number(first)
    if not line_end or port is None or not 0 < port < 65536:
        return None
    return Info(port, _number(rest.partition("\n")[0]), (status.st_mtime_ns, status.st_ino))


def _number(line: str) -> int | None:
    text = line.strip()
    return int(text) if _NUMBER.fullmatch(text) else None
