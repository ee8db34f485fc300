"""A Lingma process of our own, for a gateway that runs without Kubernetes, and how to know that it is ours."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from lingma_contract.jsonlog import event
from lingma_contract.masking import without_secrets
from lingma_gateway.lingma import infofile

log = logging.getLogger(__name__)

_HOST = "127.0.0.1"
_TERM_WAIT_S = 5.0
_PROBE_S = 2.0
_MAX_LOGGED_LINE = 2000


class LingmaProcess:
    """Starts `command start --workDir DIR …`, logs its stderr, and ends it: SIGTERM, five seconds, SIGKILL."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        work_dir: Path,
        *,
        environment: Mapping[str, str] | None = None,
        socket_port: int = 0,
        also_info_in: Path | None = None,
        term_wait_s: float = _TERM_WAIT_S,
    ) -> None:
        """`environment`: None is the gateway's own. `socket_port`: 0 takes a free one at each start. `also_info_in`: a
        folder where some builds write `.info` whatever their work directory; it counts only with the pid of this
        process."""
        self._name = name
        self._command = [*command, "start", "--workDir", str(work_dir)]
        self._work_dir = work_dir
        self._environment = environment
        self._socket_port = socket_port
        self._also_info_in = also_info_in
        self._term_wait_s = term_wait_s
        self._exit_code: int | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._stderr: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Pid while it runs."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    @property
    def how_it_ended(self) -> str:
        """For messages."""
        return "did not start" if self._exit_code is None else f"ended with code {self._exit_code}"

    def info(self) -> infofile.Info | None:
        """Where it listens; None until it says so. What another process wrote, or a dead one, does not count.

        Raises:
            OSError: the file cannot be read.
        """
        info = infofile.read(self._work_dir)
        if info is not None and (info.pid is None or self._is_ours(info.pid)):
            return info
        elsewhere = None if self._also_info_in is None else infofile.read(self._also_info_in)
        return elsewhere if elsewhere is not None and self._is_ours(elsewhere.pid) else None

    def _is_ours(self, pid: int | None) -> bool:
        """Whether `pid` runs and is the process or one that it started: they share its session."""
        if not pid or self.pid is None:
            return False
        try:
            return os.getsid(pid) == self.pid
        except OSError:
            return False

    async def running_elsewhere(self) -> bool:
        """Whether a Lingma that is not ours listens at the fixed port: it is attached to, and never ended."""
        if not self._socket_port or self.pid is not None:
            return False
        try:
            async with asyncio.timeout(_PROBE_S):
                _, writer = await asyncio.open_connection(_HOST, self._socket_port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True

    @property
    def fixed_port(self) -> int:
        """The port of LINGMA_SOCKET_PORT; 0 when there is none."""
        return self._socket_port

    async def start(self) -> None:
        """Start it, unless it runs. A `.info` of an earlier process is removed first.

        Raises:
            OSError: the binary cannot be started.
        """
        if self.pid is not None:
            return
        await self._collect()
        self._work_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        infofile.remove(self._work_dir)
        socket_port, http_port = _free_ports()
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            "--socketPort",
            str(self._socket_port or socket_port),
            "--httpPort",
            str(http_port),
            env=self._environment,
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
            text = without_secrets(line.decode("utf-8", "replace").rstrip())[:_MAX_LOGGED_LINE]
            event(log, "lingma_stderr", level=logging.DEBUG, instance=self._name, line=text)

    async def _collect(self) -> None:
        """Reap an ended process and its log task. Helpers that outlive it would keep its files and ports."""
        if self._process is not None:
            process, self._process = self._process, None
            # First: the wait is also for its standard error, which helpers hold open.
            self._signal(process.pid, signal.SIGKILL)
            self._exit_code = await process.wait()
            event(log, "lingma_exited", level=logging.WARNING, instance=self._name, code=self._exit_code)
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
                async with asyncio.timeout(self._term_wait_s):
                    await process.wait()
            except TimeoutError:
                self._signal(process.pid, signal.SIGKILL)
        await self._collect()

    def _signal(self, pid: int, number: signal.Signals) -> None:
        # It leads a process group of its own: its helper processes end with it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, number)


def _free_ports() -> tuple[int, int]:
    """Two free ports. Another program may take one in the meantime: Lingma then takes the next, and `.info` says so."""
    with socket.create_server((_HOST, 0)) as first, socket.create_server((_HOST, 0)) as second:
        return first.getsockname()[1], second.getsockname()[1]


async def _line(stream: asyncio.StreamReader) -> bytes:
    """One line; one that exceeds the reader's limit comes in pieces rather than ending the log."""
    try:
        return await stream.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError as error:
        return await stream.readexactly(error.consumed)
