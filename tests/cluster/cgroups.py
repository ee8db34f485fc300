"""The cluster's own cgroup in every hierarchy, so that its pods are told from anybody else's."""

from __future__ import annotations

import os
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
REMOVAL_SECONDS = 5.0  # the kernel lets go of a cgroup a moment after its last process


def hierarchies() -> list[Path]:
    """One for cgroup v2; one a controller for v1, links to them left out."""
    if (ROOT / "cgroup.controllers").exists():
        return [ROOT]
    return [path for path in sorted(ROOT.iterdir()) if path.is_dir() and not path.is_symlink()] if ROOT.is_dir() else []


def create(name: str) -> None:
    for hierarchy in hierarchies():
        group = hierarchy / name
        group.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):  # v1 leaves them empty, and then nothing can run there
            ours, theirs = group / setting, hierarchy / setting
            if ours.exists() and theirs.exists() and not ours.read_text().strip():
                ours.write_text(theirs.read_text())
        if (hierarchy / "cgroup.controllers").exists():
            _delegate(hierarchy)
            _delegate(group)


def processes(name: str) -> set[int]:
    """Everything that runs in it, at any depth."""
    pids: set[int] = set()
    for hierarchy in hierarchies():
        for file in (hierarchy / name).rglob("cgroup.procs"):
            pids.update(int(line) for line in file.read_text().split())
    return pids


def remove(name: str) -> None:
    for hierarchy in hierarchies():
        for folder, _, _ in os.walk(hierarchy / name, topdown=False):
            _remove(Path(folder))


def _remove(folder: Path) -> None:
    deadline = time.monotonic() + REMOVAL_SECONDS
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _delegate(group: Path) -> None:
    wanted = (group / "cgroup.controllers").read_text().split()
    (group / "cgroup.subtree_control").write_text(" ".join(f"+{controller}" for controller in wanted))
