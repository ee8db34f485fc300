"""Where the cluster lives on this machine: one folder, one network namespace, one cgroup, fixed addresses.

A machine has at most one such cluster, whichever checkout started it: the folder is the machine's, not the checkout's.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

NAME = "lingma-operator-cluster"
NODE = "node"
DOMAIN = "cluster.local"


def cache_home() -> Path:
    """What may be kept between clusters and checkouts: built binaries."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "lingma-operator" / "cluster"


@dataclass(frozen=True)
class Network:
    """A /30 between the host and the node; behind the node the pods and the Services."""

    namespace: str = NAME
    host_link: str = "lingma0"  # 15 characters at most
    node_link: str = "eth0"
    host: str = "10.213.0.1"
    node: str = "10.213.0.2"
    prefix: int = 30
    services: str = "10.214.0.0/16"
    pods: str = "10.215.0.0/16"
    apiserver_service: str = "10.214.0.1"  # the first address of the range, by Kubernetes' own rule
    dns_service: str = "10.214.0.10"

    @property
    def namespace_file(self) -> Path:
        return Path("/run/netns") / self.namespace


@dataclass(frozen=True)
class Layout:
    """The data folder. `down` removes it whole."""

    root: Path = Path("/var/lib") / NAME
    lock: Path = Path("/run/lock") / f"{NAME}.lock"
    cgroup: str = NAME
    network: Network = Network()

    @property
    def pki(self) -> Path:
        return self.root / "pki"

    @property
    def config(self) -> Path:
        return self.root / "config"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def processes(self) -> Path:
        return self.root / "processes"

    @property
    def images(self) -> Path:
        """Which image id was loaded under which name."""
        return self.root / "images"

    @property
    def fingerprint(self) -> Path:
        """What the running cluster was made from; another one is built when this differs."""
        return self.root / "fingerprint"

    @property
    def sysctls(self) -> Path:
        """The host's own kernel settings, for `down` to put back."""
        return self.root / "sysctls.json"

    @property
    def containerd_socket(self) -> Path:
        return self.root / "containerd.sock"

    @property
    def etcd_data(self) -> Path:
        return self.root / "etcd"

    @property
    def kubelet_root(self) -> Path:
        return self.root / "kubelet"

    @property
    def containerd_root(self) -> Path:
        return self.root / "containerd"

    @property
    def containerd_state(self) -> Path:
        return self.root / "run"

    @property
    def kubeconfig(self) -> Path:
        return self.config / "admin.kubeconfig"
