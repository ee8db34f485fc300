"""The node's network: a namespace, one veth pair to the host, and the routes to Services and pods through it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.cluster.commands import Failure, attempt, run
from tests.cluster.layout import Network

# kubelet and containerd change or need these. Put back by `down`.
HOST_SYSCTLS = (
    "fs/inotify/max_user_instances",
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
INOTIFY_INSTANCES = 8192  # every container log and every mounted Secret is watched
NODE_SYSCTLS = {
    "net/ipv4/ip_forward": "1",
    "net/bridge/bridge-nf-call-iptables": "1",  # so that pods of one bridge reach each other's ClusterIPs
    "net/ipv4/conf/all/rp_filter": "0",
}


class NetworkFailed(Failure):
    """Carries the command and what it said."""


def inside(network: Network, command: Sequence[str]) -> list[str]:
    """The command in the node's network, and in the host's everything else (`ip netns exec` would hide the cgroups)."""
    return ["nsenter", f"--net={network.namespace_file}", *command]


def exists(network: Network) -> bool:
    """Whole: a half-made network counts as none."""
    if not network.namespace_file.exists():
        return False
    links = attempt(["ip", "-json", "address", "show"]).stdout
    routes = attempt(["ip", "-json", "route", "show", "via", network.node]).stdout
    return _has_address(links, network.host_link, network.host) and {network.services, network.pods} <= _targets(routes)


def create(network: Network) -> None:
    """From nothing, or from whatever an interrupted attempt left."""
    remove(network)
    namespace, host, node = network.namespace, network.host_link, network.node_link
    _run(["ip", "netns", "add", namespace])
    _run(["ip", "link", "add", host, "type", "veth", "peer", "name", node, "netns", namespace])
    _run(["ip", "address", "add", f"{network.host}/{network.prefix}", "dev", host])
    _run(["ip", "link", "set", host, "up"])
    in_node = ["ip", "-netns", namespace]
    _run([*in_node, "link", "set", "lo", "up"])
    _run([*in_node, "address", "add", f"{network.node}/{network.prefix}", "dev", node])
    _run([*in_node, "link", "set", node, "up"])
    # The node's own calls to Services need a route before they can be redirected; anything else fails at once.
    _run([*in_node, "route", "add", network.services, "via", network.host])
    _run([*in_node, "route", "add", "unreachable", "default", "metric", "4096"])
    for sysctl, value in NODE_SYSCTLS.items():
        script = f"test ! -e /proc/sys/{sysctl} || echo {value} > /proc/sys/{sysctl}"
        _run(inside(network, ["sh", "-c", script]))
    for destination in (network.services, network.pods):
        _run(["ip", "route", "add", destination, "via", network.node, "dev", host])


def remove(network: Network) -> None:
    """The pair and the routes go with its host's end."""
    if (Path("/sys/class/net") / network.host_link).exists():
        _run(["ip", "link", "delete", network.host_link])
    if network.namespace_file.exists():
        attempt(["ip", "netns", "delete", network.namespace])
        network.namespace_file.unlink(missing_ok=True)  # a plain file is left when the mount was gone before
    _remove_namespaces_folder(network.namespace_file.parent)


def _remove_namespaces_folder(folder: Path) -> None:
    """`ip netns add` makes it, as a mount point of itself. It goes when nobody has a namespace there."""
    if folder.is_dir() and not any(folder.iterdir()):
        mounts = Path("/proc/self/mounts").read_text().split()
        for _ in range(mounts.count(str(folder))):
            _run(["umount", str(folder)])
        folder.rmdir()


def tune_host(saved: Path) -> None:
    """Remember the host's settings before the first change, then make room for watches."""
    if not saved.exists():
        current = {name: _sysctl(name).read_text().strip() for name in HOST_SYSCTLS if _sysctl(name).exists()}
        fresh = saved.with_suffix(".new")
        fresh.write_text(json.dumps(current))
        fresh.rename(saved)
    watches = _sysctl("fs/inotify/max_user_instances")
    if int(watches.read_text()) < INOTIFY_INSTANCES:
        watches.write_text(str(INOTIFY_INSTANCES))


def restore_host(saved: Path) -> None:
    if not saved.exists():
        return
    values: Mapping[str, str] = json.loads(saved.read_text())
    for name, value in values.items():
        if name in HOST_SYSCTLS and _sysctl(name).read_text().strip() != value:
            _sysctl(name).write_text(value)


def _sysctl(name: str) -> Path:
    return Path("/proc/sys") / name


def _has_address(output: str, link: str, address: str) -> bool:
    return any(
        item.get("ifname") == link and any(part.get("local") == address for part in item.get("addr_info", []))
        for item in _parse(output)
    )


def _targets(output: str) -> set[str]:
    return {str(route["dst"]) for route in _parse(output) if "dst" in route}


def _parse(output: str) -> list[dict[str, Any]]:
    """`ip -json` prints empty objects for what it filtered out."""
    return [item for item in json.loads(output or "[]") if item]


def _run(command: Sequence[str]) -> None:
    run(command, NetworkFailed)
