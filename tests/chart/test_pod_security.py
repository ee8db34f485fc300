"""Every pod of the chart, and of an account, fits the `restricted` Pod Security level, field by field from its page."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from lingma_contract.names import Container
from tests.chart.support import Helm, Object
from tests.chart.test_render import MATRIX

# https://kubernetes.io/docs/concepts/security/pod-security-standards/, policy "Restricted" and, within it, "Baseline".
GOLDEN = Path(__file__).parents[1] / "lingma_operator" / "golden"
ALLOWED_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


def violations(pod: Object) -> list[str]:
    """What the level refuses, each with its path."""
    spec = pod["spec"]
    own = spec.get("securityContext", {})
    found = [f"spec.{field}" for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field)]
    found += [
        f"spec.volumes[{volume['name']}]" for volume in spec.get("volumes", []) if not ALLOWED_VOLUMES & volume.keys()
    ]
    if own.get("sysctls"):
        found.append("spec.securityContext.sysctls")
    containers = [*spec.get("initContainers", []), *spec["containers"], *spec.get("ephemeralContainers", [])]
    for container in containers:
        found += [f"{container['name']}: {field}" for field in _of_container(container, own)]
    return found


def _of_container(container: Object, pod: dict[str, Any]) -> list[str]:
    context = container.get("securityContext", {})
    effective = {**pod, **context}
    capabilities = context.get("capabilities", {})
    checks = {
        "privileged": not context.get("privileged", False),
        "allowPrivilegeEscalation": context.get("allowPrivilegeEscalation") is False,
        "runAsNonRoot": effective.get("runAsNonRoot") is True,
        "runAsUser": effective.get("runAsUser") != 0,
        "seccompProfile": effective.get("seccompProfile", {}).get("type") in ("RuntimeDefault", "Localhost"),
        "capabilities.drop": "ALL" in capabilities.get("drop", []),
        "capabilities.add": set(capabilities.get("add", [])) <= {"NET_BIND_SERVICE"},
        "procMount": context.get("procMount", "Default") == "Default",
        "hostPort": not any(port.get("hostPort") for port in container.get("ports", [])),
    }
    return [name for name, holds in checks.items() if not holds]


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX.keys())
def test_every_pod_is_restricted(helm: Helm, values: dict[str, Any]) -> None:
    pods = helm.render(values).pods()
    assert len(pods) == 2
    assert {name: violations(pod) for name, pod in pods.items()} == dict.fromkeys(pods, [])


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX.keys())
def test_every_container_runs_as_65532_on_a_read_only_root_with_requests_and_a_memory_limit(
    helm: Helm, values: dict[str, Any]
) -> None:
    for pod in helm.render(values).pods().values():
        context = pod["spec"]["securityContext"]
        assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (65532, 65532, 65532)
        assert pod["spec"]["enableServiceLinks"] is False
        for container in pod["spec"]["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
            assert "memory" in container["resources"]["limits"]
            writable = [mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")]
            assert writable == ["/tmp"]


def test_an_accounts_pod_with_every_container_is_restricted() -> None:
    objects = yaml.safe_load_all((GOLDEN / "login.yaml").read_text())
    (pod,) = (each["spec"]["template"] for each in objects if each["kind"] == "StatefulSet")
    containers = [*pod["spec"]["initContainers"], *pod["spec"]["containers"]]
    assert {each["name"] for each in containers} == {each.value for each in Container}
    assert violations(pod) == []
    for each in containers:
        assert each["securityContext"]["readOnlyRootFilesystem"] is True
        assert "memory" in each["resources"]["limits"]


def test_the_check_finds_what_it_looks_for() -> None:
    bare: Object = {
        "spec": {
            "hostNetwork": True,
            "volumes": [{"name": "host", "hostPath": {}}],
            "securityContext": {"sysctls": [{"name": "x"}], "runAsUser": 0},
            "containers": [
                {
                    "name": "c",
                    "securityContext": {
                        "privileged": True,
                        "procMount": "Unmasked",
                        "capabilities": {"add": ["SYS_ADMIN"]},
                    },
                    "ports": [{"hostPort": 1}],
                }
            ],
        }
    }
    assert violations(bare) == [
        "spec.hostNetwork",
        "spec.volumes[host]",
        "spec.securityContext.sysctls",
        *(
            f"c: {name}"
            for name in (
                "privileged",
                "allowPrivilegeEscalation",
                "runAsNonRoot",
                "runAsUser",
                "seccompProfile",
                "capabilities.drop",
                "capabilities.add",
                "procMount",
                "hostPort",
            )
        ),
    ]
