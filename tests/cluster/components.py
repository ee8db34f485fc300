"""The node's programs: how each is started, what must be up before it, and how it says that it is healthy."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.binaries import Binaries
from tests.cluster.commands import attempt
from tests.cluster.configuration import APISERVER_PORT
from tests.cluster.layout import NODE, Layout
from tests.cluster.packages import SYSTEM_PATH

PROBE_SECONDS = 3.0

# None when healthy, else what is wrong.
Probe = Callable[[], str | None]


@dataclass(frozen=True)
class Component:
    name: str
    command: tuple[str, ...]
    probe: Probe
    after: tuple[str, ...] = ()
    """Tasks of the start that must be done before: other components, or steps of `node`."""


def components(layout: Layout, binaries: Binaries) -> tuple[Component, ...]:
    node = layout.network.node
    return (
        Component("etcd", etcd(layout, binaries), _http(f"http://{node}:2381/health"), ("configuration", "network")),
        Component(
            "containerd",
            (str(binaries.path("containerd")), "--config", str(layout.config / "containerd.toml")),
            _containerd(layout, binaries),
            ("configuration", "network"),
        ),
        Component(
            "kube-apiserver",
            apiserver(layout, binaries),
            _https(f"https://{node}:{APISERVER_PORT}/readyz", layout.pki),
            ("etcd",),
        ),
        Component(
            "kube-controller-manager",
            controller_manager(layout, binaries),
            _https(f"https://{node}:10257/healthz", layout.pki),
            ("kube-apiserver",),
        ),
        Component(
            "kube-scheduler",
            scheduler(layout, binaries),
            _https(f"https://{node}:10259/healthz", layout.pki),
            ("kube-apiserver",),
        ),
        Component(
            "kubelet",
            kubelet(layout, binaries),
            _http(f"http://{node}:10248/healthz"),
            ("kube-apiserver", "containerd", "pause image", "cgroup"),
        ),
        Component(
            "kube-proxy",
            (str(binaries.path("kube-proxy")), f"--config={layout.config / 'kube-proxy.yaml'}"),
            _http(f"http://{node}:10256/livez"),
            ("kube-apiserver",),
        ),
        Component(
            "coredns",
            (str(binaries.path("coredns")), "-conf", str(layout.config / "Corefile")),
            _http(f"http://{node}:8181/ready"),
            ("kube-apiserver", "objects"),
        ),
    )


def environment(layout: Layout, binaries: Binaries) -> dict[str, str]:
    """The little that they need; nothing of the caller's, so that a cluster is the same whoever starts it."""
    folders = [str(binaries.path("containerd").parent), SYSTEM_PATH]
    return {"PATH": ":".join(folders), "HOME": str(layout.root), "TMPDIR": "/tmp"}


def etcd(layout: Layout, binaries: Binaries) -> tuple[str, ...]:
    return (
        str(binaries.path("etcd")),
        f"--data-dir={layout.etcd_data}",
        "--unsafe-no-fsync",  # a power cut may lose it: it is a test's
        "--listen-client-urls=http://127.0.0.1:2379",
        "--advertise-client-urls=http://127.0.0.1:2379",
        "--listen-peer-urls=http://127.0.0.1:2380",
        f"--listen-metrics-urls=http://{layout.network.node}:2381",
        "--log-level=warn",
    )


def apiserver(layout: Layout, binaries: Binaries) -> tuple[str, ...]:
    pki, network = layout.pki, layout.network
    return (
        str(binaries.path("kube-apiserver")),
        f"--advertise-address={network.node}",
        f"--bind-address={network.node}",
        f"--secure-port={APISERVER_PORT}",
        "--etcd-servers=http://127.0.0.1:2379",
        f"--service-cluster-ip-range={network.services}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--tls-cert-file={pki / 'serving.crt'}",
        f"--tls-private-key-file={pki / 'serving.key'}",
        f"--kubelet-certificate-authority={pki / 'ca.crt'}",
        f"--kubelet-client-certificate={pki / 'kubelet-client.crt'}",
        f"--kubelet-client-key={pki / 'kubelet-client.key'}",
        "--kubelet-preferred-address-types=InternalIP",  # the node's name resolves nowhere
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki / 'service-accounts.pub'}",
        f"--service-account-signing-key-file={pki / 'service-accounts.key'}",
        f"--cert-dir={layout.root / 'apiserver'}",
        "--endpoint-reconciler-type=lease",
    )


def controller_manager(layout: Layout, binaries: Binaries) -> tuple[str, ...]:
    pki = layout.pki
    kubeconfig = layout.config / "controller-manager.kubeconfig"
    return (
        str(binaries.path("kube-controller-manager")),
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--use-service-account-credentials=true",
        "--kube-api-qps=500",  # at the default of 20 its own start waits four seconds for tokens
        "--kube-api-burst=1000",
        f"--flex-volume-plugin-dir={layout.root / 'volume-plugins'}",
        "--allocate-node-cidrs=true",
        f"--cluster-cidr={layout.network.pods}",
        f"--service-cluster-ip-range={layout.network.services}",
        f"--root-ca-file={pki / 'ca.crt'}",
        f"--service-account-private-key-file={pki / 'service-accounts.key'}",
        f"--cluster-signing-cert-file={pki / 'ca.crt'}",
        f"--cluster-signing-key-file={pki / 'ca.key'}",
        *_serving(layout),
    )


def scheduler(layout: Layout, binaries: Binaries) -> tuple[str, ...]:
    kubeconfig = layout.config / "scheduler.kubeconfig"
    return (
        str(binaries.path("kube-scheduler")),
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        *_serving(layout),
    )


def kubelet(layout: Layout, binaries: Binaries) -> tuple[str, ...]:
    return (
        str(binaries.path("kubelet")),
        f"--config={layout.config / 'kubelet.yaml'}",
        f"--kubeconfig={layout.config / 'kubelet.kubeconfig'}",
        f"--root-dir={layout.kubelet_root}",
        f"--cert-dir={layout.kubelet_root / 'pki'}",
        f"--hostname-override={NODE}",
        f"--node-ip={layout.network.node}",
    )


def _serving(layout: Layout) -> tuple[str, ...]:
    return (
        f"--bind-address={layout.network.node}",
        f"--tls-cert-file={layout.pki / 'serving.crt'}",
        f"--tls-private-key-file={layout.pki / 'serving.key'}",
    )


def _http(url: str) -> Probe:
    return lambda: _get(url, None)


def _https(url: str, pki: Path) -> Probe:
    def probe() -> str | None:
        if not (pki / "ca.crt").exists():
            return "there are no certificates"
        context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        return _get(url, context)

    return probe


def _get(url: str, context: ssl.SSLContext | None) -> str | None:
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]  # the node is never behind a proxy
    if context is not None:
        handlers.append(urllib.request.HTTPSHandler(context=context))
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=PROBE_SECONDS) as answer:
            answer.read()
            return None
    except urllib.error.HTTPError as error:
        with error:
            said = error.read().decode(errors="replace").strip().splitlines()
        failed = [line for line in said if "failed" in line] or said[:1]
        return f"{url} answers {error.code}: {' '.join(failed)[:200]}"
    except (OSError, urllib.error.URLError) as error:
        return f"{url}: {getattr(error, 'reason', error)}"


def _containerd(layout: Layout, binaries: Binaries) -> Probe:
    def probe() -> str | None:
        if not layout.containerd_socket.exists():
            return f"{layout.containerd_socket} is not there"
        command = [str(binaries.path("ctr")), "-a", str(layout.containerd_socket), "--timeout", "3s", "version"]
        done = attempt(command)
        return None if done.returncode == 0 else done.stderr.strip()[-200:]

    return probe
