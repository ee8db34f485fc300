"""Lingma obtained at the pod's start, from a plugin that a Service of the cluster serves."""

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from demo.kube import Object, condition, holds
from lingma_contract.names import UID, Container
from lingma_gateway.bootstrap.architecture import ARCHITECTURES
from tests.e2e.support import Lingma

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180, func_only=True)]

NAME = "plugin"
LAUNCHER = b'#!/bin/sh\necho "obtained" > "$HOME/obtained"\nexec lingma-sim "$@"\n'
SIZES = {"Lingma": 51 * 2**20, "LingmaLocal": 6 * 2**20}
"""As large as what is taken for a real Lingma; it packs to a few kilobytes."""


def vsix() -> bytes:
    """A plugin whose Lingma, for every Linux, starts the simulator."""
    nested = io.BytesIO()
    with zipfile.ZipFile(nested, "w", zipfile.ZIP_DEFLATED) as binaries:
        for architecture in (name for name in ARCHITECTURES if name.endswith("linux")):
            for program, size in SIZES.items():
                binaries.writestr(f"9.9.9/{architecture}/{program}", LAUNCHER.ljust(size, b"\n"))
    plugin = io.BytesIO()
    with zipfile.ZipFile(plugin, "w", zipfile.ZIP_DEFLATED) as outer:
        outer.writestr("extension/dist/bin/lingma-9.9.9.zip", nested.getvalue())
    return plugin.getvalue()


def mirror(content: bytes, image: str) -> list[Object]:
    """A web server in the cluster that has the plugin. Its own port is 80, the one that policies let accounts reach."""
    labels = {"app": NAME}
    container = {
        "name": "web",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-m", "http.server", "80", "--directory", "/plugin"],
        "volumeMounts": [{"name": "plugin", "mountPath": "/plugin"}],
        "readinessProbe": {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    pod = {
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": UID,
            "seccompProfile": {"type": "RuntimeDefault"},
            "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
        },
        "containers": [container],
        "volumes": [{"name": "plugin", "configMap": {"name": NAME}}],
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": NAME},
            "binaryData": {"lingma.vsix": base64.b64encode(content).decode()},
        },
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": NAME, "labels": labels}, "spec": pod},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": NAME},
            "spec": {"selector": labels, "ports": [{"port": 80}]},
        },
    ]


@pytest.fixture(scope="module")
def plugin(lingma: Lingma, image_references: list[str]) -> Iterator[bytes]:
    """The plugin, at `address`."""
    content = vsix()
    (image,) = (reference for reference in image_references if "lingma-gateway" in reference)
    lingma.kube.apply(*mirror(content, image))
    try:
        lingma.kube.wait("condition=Ready", f"pod/{NAME}", seconds=60)
        yield content
    finally:
        lingma.kube.run("delete", f"pod/{NAME}", f"service/{NAME}", f"configmap/{NAME}", "--ignore-not-found", "--now")


def bootstrapping(lingma: Lingma, sha256: str) -> dict[str, Any]:
    """Of a spec: the plugin at the mirror, and a pod that ends at once when it is deleted."""
    url = f"http://{NAME}.{lingma.kube.namespace}.svc/lingma.vsix?key=secret"
    return {
        "lingma": {"bootstrap": {"vsixUrl": url, "sha256": sha256}},
        "gateway": {"env": {"DRAIN_PROPAGATION_SECONDS": "0"}},
    }


def test_lingma_is_obtained_and_run(lingma: Lingma, plugin: bytes) -> None:
    with lingma.account(
        "bertha", uid="bertha-uid", **bootstrapping(lingma, hashlib.sha256(plugin).hexdigest())
    ) as name:
        lingma.account_ready(name)
        assert lingma.chat_with(name, "@sim whoami").text == "bertha-uid"
        kept = lingma.kube.run(
            "exec", f"{name}-gateway-0", "-c", Container.LINGMA, "--", "cat", "/lingma/home/obtained"
        )
        assert kept.strip() == "obtained"


def test_a_plugin_of_another_sum_is_not_unpacked_and_the_account_says_so(lingma: Lingma, plugin: bytes) -> None:
    with lingma.account("boris", uid="boris-uid", **bootstrapping(lingma, "0" * 64)) as name:
        account = lingma.account_when(
            name, lambda seen: (condition(seen, "Ready") or {}).get("reason") == "BootstrapFailed"
        )
        said = condition(account, "Ready")
        assert said is not None and holds(account, "Ready", "False")
        assert said["message"] == (
            "Lingma cannot be obtained by spec.lingma.bootstrap: the archive's SHA-256 is "
            f"{hashlib.sha256(plugin).hexdigest()}, not {'0' * 64}: nothing was installed"
        )
        lingma.event_about(name, lambda event: event["message"] == said["message"])
