"""Processes that outlive the command which started them, known again by pid and start time."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

TERM_SECONDS = 5.0  # then SIGKILL: nothing here has state that a kill loses
KILL_SECONDS = 10.0


@dataclass(frozen=True)
class Identity:
    """A pid alone may belong to a stranger by now; with its start time and the machine's boot it cannot."""

    pid: int
    started: int
    boot: str

    def alive(self) -> bool:
        return self.boot == boot_id() and started(self.pid) == self.started


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def started(pid: int) -> int | None:
    """When the process began, in clock ticks since boot; None when there is none or it is a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may hold spaces and brackets
    state, start_ticks = fields[0], fields[19]
    return None if state in "ZX" else int(start_ticks)


def identify(pid: int) -> Identity | None:
    start = started(pid)
    return None if start is None else Identity(pid, start, boot_id())


class Processes:
    """A folder of identities, one file a name."""

    def __init__(self, folder: Path, logs: Path) -> None:
        self._folder = folder
        self._logs = logs

    def log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def names(self) -> list[str]:
        return sorted(path.stem for path in self._folder.glob("*.json"))

    def identity(self, name: str) -> Identity | None:
        """The recorded process, when it is still the same one and running."""
        try:
            identity = Identity(**json.loads((self._folder / f"{name}.json").read_text()))
        except (FileNotFoundError, json.JSONDecodeError, TypeError):
            return None
        return identity if identity.alive() else None

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> None:
        """Start in a session of its own, writing to its log, and remember who it is."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        with self.log(name).open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(env),
                start_new_session=True,
                cwd="/",
            )
        identity = identify(process.pid)
        if identity is None:
            raise OSError(f"{name} ended at once with code {process.wait()}: {tail(self.log(name))}")
        record = self._folder / f"{name}.json"
        fresh = record.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(identity)))
        fresh.rename(record)
        process.returncode = 0  # it is not this command's child to wait for: it stays when the command ends

    def stop(self, name: str) -> None:
        """Ask, then insist; forget it either way. A stranger under the same pid is left alone."""
        identity = self.identity(name)
        if identity is not None:
            end([identity])
        (self._folder / f"{name}.json").unlink(missing_ok=True)

    def kill_all(self) -> None:
        """For when nothing is to be kept, not even a clean end."""
        kill([identity for name in self.names() if (identity := self.identity(name))])
        for name in self.names():
            (self._folder / f"{name}.json").unlink(missing_ok=True)


def end(identities: Sequence[Identity]) -> None:
    """All of them at once, each through a pidfd: the pid cannot change hands between the look and the signal."""
    left = _signal(identities, signal.SIGTERM, TERM_SECONDS)
    left = _signal(left, signal.SIGKILL, KILL_SECONDS)
    if left:
        raise OSError(f"processes {[identity.pid for identity in left]} do not end, even when killed")


def kill(identities: Sequence[Identity]) -> None:
    """For what has nothing to say before it goes: containers, their shims."""
    left = _signal(identities, signal.SIGKILL, KILL_SECONDS)
    if left:
        raise OSError(f"processes {[identity.pid for identity in left]} do not end, even when killed")


def _signal(identities: Sequence[Identity], number: signal.Signals, seconds: float) -> list[Identity]:
    """Those that are still there after the signal and the wait."""
    handles: dict[int, Identity] = {}
    for identity in identities:
        try:
            handle = os.pidfd_open(identity.pid)
        except ProcessLookupError:
            continue
        if identity.alive():
            signal.pidfd_send_signal(handle, number)
            handles[handle] = identity
        else:
            os.close(handle)
    waiting = select.poll()
    for handle in handles:
        waiting.register(handle, select.POLLIN)
    left = dict(handles)
    try:
        while left and (ready := waiting.poll(seconds * 1000)):
            for handle, _ in ready:
                waiting.unregister(handle)
                del left[handle]
    finally:
        for handle in handles:
            os.close(handle)
    return [identity for identity in left.values() if identity.alive()]


def tail(log: Path, lines: int = 5) -> str:
    """The end of a log, for a message that says why."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 64 * 1024))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "(no log)"
