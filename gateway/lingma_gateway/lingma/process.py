"""A Lingma process of our own, for a gateway that runs without Kubernetes."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from lingma_contract.jsonlog import event
from lingma_gateway.lingma import infofile

log = logging.getLogger(__name__)

_TERM_WAIT_S = 5.0
_MAX_LOGGED_LINE = 2000


class LingmaProcess:
    """Starts `command start --workDir DIR`, logs its stderr, and ends it: SIGTERM, five seconds, SIGKILL."""

    def __init__(self, name: str, command: Sequence[str], work_dir: Path, extra_args: Sequence[str] = ()) -> None:
        self._name = name
        self._command = [*command, "start", "--workDir", str(work_dir), *extra_args]
        self._work_dir = work_dir
        self._process: asyncio.subprocess.Process | None = None
        self._stderr: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Pid while it runs."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self) -> None:
        """Start it, unless it runs. A `.info` of an earlier process is removed first.

        Raises:
            OSError: the binary cannot be started.
        """
        if self.pid is not None:
            return
        await self._collect()
        self._work_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self._work_dir / infofile.INFO_NAME).unlink(missing_ok=True)
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            cwd=Path(self._command[0]).parent if os.path.isabs(self._command[0]) else None,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        self._stderr = asyncio.create_task(self._log_stderr(self._process), name=f"lingma-stderr-{self._name}")
        event(log, "lingma_started", instance=self._name, pid=self._process.pid)

    async def _log_stderr(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while line := await _line(process.stderr):
            text = line.decode("utf-8", "replace").rstrip()[:_MAX_LOGGED_LINE]
            event(log, "lingma_stderr", level=logging.DEBUG, instance=self._name, line=text)

    async def _collect(self) -> None:
        """Reap an ended process and its log task."""
        if self._process is not None:
            code = await self._process.wait()
            event(log, "lingma_exited", level=logging.WARNING, instance=self._name, code=code)
            self._process = None
        if self._stderr is not None:
            await self._stderr
            self._stderr = None

    async def stop(self) -> None:
        """End it and everything it started."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            self._signal(process.pid, signal.SIGTERM)
            try:
                async with asyncio.timeout(_TERM_WAIT_S):
                    await process.wait()
            except TimeoutError:
                self._signal(process.pid, signal.SIGKILL)
        await self._collect()

    def _signal(self, pid: int, number: signal.Signals) -> None:
        # It leads a process group of its own: its helper processes end with it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, number)


async def _line(stream: asyncio.StreamReader) -> bytes:
    """One line; one that exceeds the reader's limit comes in pieces rather than ending the log."""
    try:
        return await stream.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError as error:
        return await stream.readexactly(error.consumed)
