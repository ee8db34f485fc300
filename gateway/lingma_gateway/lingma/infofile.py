"""Where Lingma listens: `.info` in its work directory, two or three lines: port, pid, sometimes a pipe path.

Builds for an IDE write `.info.json` instead: `{"websocketPort", "pid", "ipcServerPath"}` (protocol page, section 2).
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

INFO_NAME = ".info"
JSON_NAME = ".info.json"
_Said = tuple[int, int | None]
_NUMBER = re.compile(r"[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class Info:
    """What `.info` said. `version` changes whenever the file is written anew."""

    port: int
    pid: int | None
    version: tuple[int, int]


def read(work_dir: Path) -> Info | None:
    """The current `.info` or `.info.json`, whichever was written last; None while there is none, or a half-written one.

    Raises:
        OSError: there is one, and it cannot be read.
    """
    found = [info for name, parse in _FORMS.items() if (info := _read(work_dir / name, parse)) is not None]
    return max(found, key=lambda info: info.version[0], default=None)


def remove(work_dir: Path) -> None:
    """What an earlier process left."""
    for name in _FORMS:
        (work_dir / name).unlink(missing_ok=True)


def _read(path: Path, parse: Callable[[str], _Said | None]) -> Info | None:
    try:
        status = path.stat()
        text = path.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return None
    said = parse(text)
    return None if said is None else Info(*said, (status.st_mtime_ns, status.st_ino))


def _lines(text: str) -> _Said | None:
    # Without the end of its line, the port may lack its last digits.
    first, line_end, rest = text.partition("\n")
    port = _port(_number(first))
    return None if not line_end or port is None else (port, _number(rest.partition("\n")[0]))


def _json(text: str) -> _Said | None:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    port = _port(_member(said.get("websocketPort")))
    return None if port is None else (port, _member(said.get("pid")))


_FORMS = {INFO_NAME: _lines, JSON_NAME: _json}


def _member(value: object) -> int | None:
    """A number of the JSON form, which other builds may write as text."""
    if isinstance(value, str):
        return _number(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _port(number: int | None) -> int | None:
    return number if number is not None and 0 < number < 65536 else None


def _number(line: str) -> int | None:
    text = line.strip()
    return int(text) if _NUMBER.fullmatch(text) else None
