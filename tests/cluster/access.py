"""One way to a Kubernetes for tests and the demo: the user's own, or the one that this package makes."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import binaries as binaries_module
from tests.cluster import imagestore, packages
from tests.cluster.commands import Failure, run
from tests.cluster.layout import Layout
from tests.cluster.node import Node
from tests.cluster.report import Report

CAP_NET_ADMIN = 12
CAP_SYS_ADMIN = 21


class ClusterUnavailable(Failure):
    """Says exactly why no cluster can be had here, and what to do."""


@dataclass(frozen=True)
class Cluster:
    kubeconfig: Path
    context: str | None
    kubectl: Path
    helm: Path
    owned: bool
    """Whether this package made it, and so may take it down."""

    def load(self, image: str, report: Report | None = None) -> None:
        """Make an image of this machine's buildah (or docker, for a cluster of the user's) known to the node."""
        if self.owned:
            imagestore.load(image, Layout(), binaries_module.default(), report or Report())
        elif command := load_command(self.context or "", image):
            run(command, ClusterUnavailable)


def obtain(context: str | None = None) -> Cluster:
    """The cluster of that context; without one our own, brought up when it is not."""
    return _users_own(context) if context else _ours()


def load_command(context: str, image: str) -> list[str] | None:
    """How the tool that made the cluster takes an image in; None where a registry must have it. Not run in our CI."""
    if context.startswith("kind-"):
        return ["kind", "load", "docker-image", image, "--name", context.removeprefix("kind-")]
    if context.startswith("k3d-"):
        return ["k3d", "image", "import", image, "--cluster", context.removeprefix("k3d-")]
    if context.startswith("minikube"):
        return ["minikube", "--profile", context, "image", "load", image]
    return None


def unavailable_because() -> str | None:
    """What this machine lacks for a cluster of our own, in the order in which it would be missed."""
    if platform.system() != "Linux":
        return f"a node needs Linux, and this is {platform.system()}; name a cluster of your own with KUBE_CONTEXT"
    if os.geteuid() != 0:
        return "a node needs root: run this as root, or name a cluster of your own with KUBE_CONTEXT"
    lacking = _lacking_capabilities(effective_capabilities())
    if lacking:
        return f"this container lacks {' and '.join(lacking)}: start it privileged, or set KUBE_CONTEXT"
    if binaries_module.default().missing() and binaries_module.find_go() is None:
        return "the cluster's programs are not built yet and there is no Go: install Go 1.26, or set KUBE_CONTEXT"
    needed = packages.missing(packages.NODE)
    if needed and shutil.which("apt-get") is None:
        return f"these programs are missing and there is no apt-get to install them: {' '.join(needed)}"
    return None


def effective_capabilities() -> str:
    return Path("/proc/self/status").read_text()


def _ours() -> Cluster:
    if reason := unavailable_because():
        raise ClusterUnavailable(reason)
    layout, programs = Layout(), binaries_module.default()
    try:
        Node(layout, programs, Report()).up()
    except (Failure, OSError) as error:
        raise ClusterUnavailable(f"no cluster could be started: {error}") from error
    return Cluster(layout.kubeconfig, None, programs.path("kubectl"), programs.path("helm"), owned=True)


def _users_own(context: str) -> Cluster:
    found = {program: shutil.which(program) for program in ("kubectl", "helm")}
    for program, path in found.items():
        if path is None:
            raise ClusterUnavailable(f"context {context} was asked for, and there is no {program} on the PATH")
    kubectl, helm = Path(found["kubectl"] or ""), Path(found["helm"] or "")
    kubeconfig = os.environ.get("KUBECONFIG", "").split(":")[0] or str(Path.home() / ".kube" / "config")
    try:
        run(
            [str(kubectl), "--context", context, "get", "--raw", "/readyz", "--request-timeout=10s"], ClusterUnavailable
        )
    except ClusterUnavailable as error:
        raise ClusterUnavailable(f"the cluster of context {context} does not answer: {error}") from error
    return Cluster(Path(kubeconfig), context, kubectl, helm, owned=False)


def _lacking_capabilities(status: str) -> list[str]:
    (line,) = (line for line in status.splitlines() if line.startswith("CapEff:"))
    effective = int(line.split()[1], 16)
    needed = {"CAP_SYS_ADMIN": CAP_SYS_ADMIN, "CAP_NET_ADMIN": CAP_NET_ADMIN}
    return [name for name, bit in needed.items() if not effective >> bit & 1]
