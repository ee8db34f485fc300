"""Every configuration file of the cluster as data: pure functions of the layout, and the writers of their formats."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cluster.layout import DOMAIN, NODE, Layout

PAUSE_IMAGE = "localhost/pause:1"
APISERVER_PORT = 6443

Tree = dict[str, Any]


def kubeconfig(layout: Layout, user: str) -> Tree:
    """Certificates are embedded: the file works wherever it is copied."""
    files = {
        "certificate-authority": layout.pki / "ca.crt",
        "client-certificate": layout.pki / f"{user}.crt",
        "client-key": layout.pki / f"{user}.key",
    }
    server = f"https://{layout.network.node}:{APISERVER_PORT}"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "lingma",
                "cluster": {"server": server, "certificate-authority-data": _base64(files["certificate-authority"])},
            }
        ],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": _base64(files["client-certificate"]),
                    "client-key-data": _base64(files["client-key"]),
                },
            }
        ],
        "contexts": [{"name": "lingma", "context": {"cluster": "lingma", "user": user}}],
        "current-context": "lingma",
    }


def kubelet(layout: Layout) -> Tree:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": layout.network.node,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(layout.pki / "serving.crt"),
        "tlsPrivateKeyFile": str(layout.pki / "serving.key"),
        "healthzBindAddress": layout.network.node,
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "clusterDomain": DOMAIN,
        "clusterDNS": [layout.network.dns_service],
        "resolvConf": str(layout.config / "resolv.conf"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{layout.cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,  # kube-proxy speaks nftables
        "podLogsDir": str(layout.root / "pod-logs"),
        "volumePluginDir": str(layout.root / "volume-plugins"),
        "staticPodPath": "",
        "evictionHard": {"memory.available": "1%", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,  # what was loaded can not be pulled again
        "serializeImagePulls": False,
        "syncFrequency": "10s",
        "nodeStatusUpdateFrequency": "5s",
        "registerNode": True,
    }


def kube_proxy(layout: Layout) -> Tree:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clusterCIDR": layout.network.pods,
        "hostnameOverride": NODE,
        "healthzBindAddress": f"{layout.network.node}:10256",
        "metricsBindAddress": f"{layout.network.node}:10249",
        "clientConnection": {"kubeconfig": str(layout.config / "proxy.kubeconfig")},
        "conntrack": {
            "maxPerCore": 0,  # zero: leave the host's own limits alone
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
            "udpTimeout": "0s",
            "udpStreamTimeout": "0s",
        },
    }


def containerd(layout: Layout) -> Tree:
    return {
        "version": 3,
        "root": str(layout.containerd_root),
        "state": str(layout.containerd_state),
        "grpc": {"address": str(layout.containerd_socket)},
        "disabled_plugins": ["io.containerd.nri.v1.nri", "io.containerd.tracing.processor.v1.otlp"],
        "plugins": {
            "io.containerd.internal.v1.opt": {"path": str(layout.root / "opt")},
            "io.containerd.cri.v1.images": {
                "snapshotter": "overlayfs",
                "pinned_images": {"sandbox": PAUSE_IMAGE},
            },
            "io.containerd.cri.v1.runtime": {
                "restrict_oom_score_adj": True,  # without CAP_SYS_RESOURCE a sandbox's -998 fails the start
                "netns_mounts_under_state_dir": True,
                "enable_cdi": False,
                "cni": {"bin_dirs": ["/usr/lib/cni"], "conf_dir": str(layout.config / "cni")},
                "containerd": {
                    "default_runtime_name": "runc",
                    "runtimes": {
                        "runc": {
                            "runtime_type": "io.containerd.runc.v2",
                            "options": {
                                "BinaryName": "runc",
                                "Root": str(layout.root / "runc"),
                                "SystemdCgroup": False,
                            },
                        }
                    },
                },
            },
        },
    }


def cni(layout: Layout) -> Tree:
    """No masquerading and no host ports: the host has a route to the pods, and there is nothing else to reach."""
    return {
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": True,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "dataDir": str(layout.root / "cni"),
                    "ranges": [[{"subnet": layout.network.pods}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            }
        ],
    }


def coredns(layout: Layout) -> Mapping[str, Mapping[str, list[str]]]:
    """Zones and their directives. No cache: a test must not wait for a time to live."""
    node = layout.network.node
    return {
        f"{DOMAIN} in-addr.arpa ip6.arpa": {
            "bind": [node],
            "errors": [],
            "health": [f"{node}:8080"],
            "ready": [f"{node}:8181"],
            "kubernetes": [
                f"{DOMAIN} in-addr.arpa ip6.arpa {{",
                f"kubeconfig {layout.config / 'coredns.kubeconfig'} lingma",
                "pods insecure",
                "ttl 1",
                "}",
            ],
            "loadbalance": [],
        },
        ".": {"bind": [node], "template": ["ANY ANY {", "rcode NXDOMAIN", "}"]},  # there is no internet: say so at once
    }


def objects(layout: Layout) -> Tree:
    """What the cluster itself keeps in the apiserver: DNS, which runs as a process on the node, as a Service."""
    meta = {"name": "kube-dns", "namespace": "kube-system"}
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]
    role = "lingma:coredns"
    return {
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": meta,
                "spec": {"clusterIP": layout.network.dns_service, "ports": ports},
            },
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {**meta, "labels": {"kubernetes.io/service-name": "kube-dns"}},
                "addressType": "IPv4",
                "endpoints": [{"addresses": [layout.network.node], "conditions": {"ready": True}}],
                "ports": ports,
            },
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRole",
                "metadata": {"name": role},
                "rules": [
                    {
                        "apiGroups": [""],
                        "resources": ["services", "pods", "namespaces"],
                        "verbs": ["list", "watch"],
                    },
                    {
                        "apiGroups": ["discovery.k8s.io"],
                        "resources": ["endpointslices"],
                        "verbs": ["list", "watch"],
                    },
                ],
            },
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": role},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "system:coredns"}],
            },
        ],
    }


def corefile(zones: Mapping[str, Mapping[str, list[str]]]) -> str:
    lines: list[str] = []
    for zone, directives in zones.items():
        lines.append(f"{zone} {{")
        for name, words in directives.items():
            lines += [f"    {name} {words[0]}".rstrip() if words else f"    {name}"]
            lines += [f"        {word}" for word in words[1:]]
        lines.append("}")
    return "\n".join(lines) + "\n"


def toml(tree: Mapping[str, Any], path: tuple[str, ...] = ()) -> str:
    """TOML of strings, numbers, booleans, lists and tables; every such value is written the same way in JSON."""
    tables = {key: value for key, value in tree.items() if isinstance(value, Mapping)}
    lines = [
        f"{json.dumps(key)} = {json.dumps(value, ensure_ascii=False)}"
        for key, value in tree.items()
        if key not in tables
    ]
    if path and lines:
        lines.insert(0, "[" + ".".join(json.dumps(part) for part in path) + "]")
    text = "".join(line + "\n" for line in lines)
    return text + "".join(toml(value, (*path, key)) for key, value in tables.items())


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
