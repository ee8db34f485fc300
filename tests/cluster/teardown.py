"""Takes the cluster away, whole or half-made, and leaves the machine as it was."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

from tests.cluster import cgroups, network
from tests.cluster.binaries import RECIPE
from tests.cluster.commands import Failure, attempt, run
from tests.cluster.layout import Layout
from tests.cluster.processes import Identity, Processes, identify, kill
from tests.cluster.report import Report

SWEEPS = 5  # a program that is being killed may just have started another
# Outside the data folder, at places that containerd and the kubelet do not let one choose.
CONTAINER_LOG_LINKS = Path("/var/log/containers")
CNI_RESULTS = Path("/var/lib/cni")
SHIM_SOCKETS = Path("/run/containerd")
DEVICE_PLUGINS = Path("/var/lib/kubelet/device-plugins")


def present(layout: Layout) -> bool:
    """Whether there is anything to take away."""
    links = Path("/sys/class/net") / layout.network.host_link
    return layout.root.exists() or links.exists() or layout.network.namespace_file.exists() or bool(_strays(layout))


def remove(layout: Layout, report: Report) -> None:
    with report.step("taking the cluster down"):
        Processes(layout.processes, layout.logs).kill_all()
        for _ in range(SWEEPS):
            if not (strays := _strays(layout)):
                break
            kill(strays)
        _unmount(layout.root)
        cgroups.remove(layout.cgroup)
        network.remove(layout.network)
        network.restore_host(layout.sysctls)
        _remove_traces(layout)
        if layout.root.exists():
            shutil.rmtree(layout.root)


def _strays(layout: Layout) -> list[Identity]:
    """What runs in the cluster's network or its cgroup, and its programs wherever they run, recorded or not."""
    pids = cgroups.processes(layout.cgroup)
    namespace = _inode(layout.network.namespace_file)
    programs = {program for recipe in RECIPE.values() for program in recipe.programs}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        in_namespace = namespace is not None and _inode(entry / "ns" / "net") == namespace
        if in_namespace or _is_program(entry, programs, layout.root):
            pids.add(int(entry.name))
    return [identity for pid in sorted(pids) if (identity := identify(pid))]


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_program(entry: Path, programs: set[str], root: Path) -> bool:
    """One of ours by its file's name, and told to work in this data folder. A person's `tail` of a log is neither."""
    try:
        program = Path(os.readlink(entry / "exe")).name
        arguments = (entry / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return False
    return program in programs and str(root) in arguments


def _unmount(root: Path) -> None:
    """Deepest first; a mount that is still held is detached and goes with its last user."""
    for mount in reversed(_mounts(root)):
        if attempt(["umount", mount]).returncode != 0:
            run(["umount", "--lazy", mount], Failure)


def _mounts(root: Path) -> list[str]:
    points = (line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines())
    decoded = (point.encode().decode("unicode_escape") for point in points)  # spaces are written \040
    return [point for point in decoded if point == str(root) or point.startswith(f"{root}/")]


def _remove_traces(layout: Layout) -> None:
    if CONTAINER_LOG_LINKS.is_dir():
        for link in CONTAINER_LOG_LINKS.iterdir():
            if link.is_symlink() and os.readlink(link).startswith(f"{layout.root}/"):
                link.unlink()
        _remove_if_empty(CONTAINER_LOG_LINKS)
    for result in (CNI_RESULTS / "results").glob("*"):
        if f'"netns":"{layout.root}/' in result.read_text(errors="replace"):
            result.unlink()
    for dead in (DEVICE_PLUGINS / "kubelet.sock", *(SHIM_SOCKETS / "s").glob("*")):
        _remove_dead_socket(dead)
    for folder in (CNI_RESULTS, SHIM_SOCKETS, DEVICE_PLUGINS.parent):
        _prune(folder)


def _remove_dead_socket(path: Path) -> None:
    """One that nobody listens on: another engine on this machine would."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        except OSError:
            return


def _prune(folder: Path) -> None:
    """Folders that hold nothing any more. What another container engine keeps there is not touched."""
    for below, _, _ in os.walk(folder, topdown=False):
        _remove_if_empty(Path(below))


def _remove_if_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()
