"""Writes the certificates and the configuration, and says in one digest what a cluster is made from."""

from __future__ import annotations

import hashlib
import json

import yaml

from tests.cluster import certificates, configuration
from tests.cluster.binaries import Binaries
from tests.cluster.components import components
from tests.cluster.layout import Layout

KUBECONFIG_USERS = ("admin", "controller-manager", "scheduler", "proxy", "kubelet", "coredns")


def rendered(layout: Layout) -> dict[str, str]:
    """Every file that holds no secret, by its path below the configuration folder."""
    return {
        "kubelet.yaml": yaml.safe_dump(configuration.kubelet(layout)),
        "kube-proxy.yaml": yaml.safe_dump(configuration.kube_proxy(layout)),
        "containerd.toml": configuration.toml(configuration.containerd(layout)),
        "cni/10-pods.conflist": json.dumps(configuration.cni(layout), indent=2),
        "Corefile": configuration.corefile(configuration.coredns(layout)),
        "resolv.conf": f"nameserver {layout.network.node}\n",
    }


def fingerprint(layout: Layout, binaries: Binaries) -> str:
    commands = [component.command for component in components(layout, binaries)]
    made_from = [binaries.fingerprint(), commands, rendered(layout), configuration.objects(layout)]
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def write_all(layout: Layout) -> None:
    certificates.write_all(layout.pki, layout.network)
    for name, text in rendered(layout).items():
        path = layout.config / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for user in KUBECONFIG_USERS:
        path = layout.config / f"{user}.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(configuration.kubeconfig(layout, user)))
