"""The processes of the benchmark: started on a core, listening, and ended by their pid whatever happens."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_START_S = 30.0
_END_S = 10.0
ROOT = Path(__file__).resolve().parents[3]


def cores() -> tuple[set[int], set[int]]:
    """One for the process under test, the others for the rest; both the same where there is only one."""
    mine = sorted(os.sched_getaffinity(0))
    return {mine[-1]}, set(mine[:-1]) or {mine[-1]}


class Failed(Exception):
    """A process did not do what it should; the message holds its last words."""


class Process:
    """One that runs until `end`. What it writes goes to a file, so that no full pipe stops it."""

    def __init__(self, arguments: Sequence[str], on: set[int], output: Path, environment: Mapping[str, str]) -> None:
        self._output = output
        with output.open("wb") as written:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env={**_bare_environment(), **environment},
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        os.sched_setaffinity(self._process.pid, on)

    @property
    def pid(self) -> int:
        return self._process.pid

    def said(self, key: str, longest_s: float = _START_S) -> Any:
        """What it wrote under `key` in a line of JSON; waits for it.

        Raises:
            Failed: it ended, or wrote no such line in time.
        """
        deadline = time.monotonic() + longest_s
        while True:
            ended = self._process.poll() is not None
            for line in self._output.read_text(errors="replace").splitlines():
                with contextlib.suppress(ValueError):
                    if key in (spoken := json.loads(line)):
                        return spoken[key]
            if ended or time.monotonic() > deadline:
                raise Failed(f"no {key!r} from {self._process.args!r}: {self._output.read_text()[-2000:]}")
            time.sleep(0.05)

    def wait(self, longest_s: float) -> str:
        """What it wrote until it ended by itself.

        Raises:
            Failed: it took too long, or failed.
        """
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self._process.wait(longest_s) == 0:
                return self._output.read_text()
        raise Failed(f"{self._process.args!r} failed: {self._output.read_text()[-2000:]}")

    def end(self) -> None:
        """SIGTERM, and SIGKILL for one that does not hear."""
        self._process.terminate()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_END_S)


@contextmanager
def process(
    arguments: Sequence[str], on: set[int], output: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """A process that runs until the block ends."""
    started = Process(arguments, on, output, environment or {})
    try:
        yield started
    finally:
        started.end()


def _bare_environment() -> dict[str, str]:
    """Without any setting of a gateway that the caller may have."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return kept | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gateway'}", "PYTHONUNBUFFERED": "1"}
