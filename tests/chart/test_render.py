"""What the chart renders, over values that people set."""

import json
from typing import Any

import pytest

from tests.chart.support import IMAGES, NAMESPACE, Helm, Refused, container, environment

EVERYTHING: dict[str, Any] = {
    "simulator": {"enabled": True},
    "watch": {"namespaces": ["team-b", "team-a", "team-b"]},
    "gateway": {"env": {"DEFAULT_MODEL": "org_auto"}},
    "apiKeys": {"existingSecret": "our-keys"},
    "router": {
        "replicas": 3,
        "service": {"name": "ai", "type": "LoadBalancer", "port": 8080, "annotations": {"lb": "internal"}},
        "drainSeconds": 60,
        "logLevel": "debug",
        "env": {"EXTRA": "5"},
        "podAnnotations": {"a": "b"},
        "podLabels": {"c": "d"},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "high",
    },
    "operator": {"nodeSelector": {"disk": "ssd"}, "env": {"EXTRA": "6"}, "podAnnotations": {"a": "b"}},
    "monitoring": {"labels": {"app": "prometheus"}, "podMonitor": {"enabled": True, "labels": {"prometheus": "main"}}},
    "networkPolicy": {"enabled": True, "clients": [{"podSelector": {"matchLabels": {"ai": "yes"}}}]},
    "rbac": {"aggregateClusterRoles": True},
    "commonLabels": {"team": "ml"},
    "extraObjects": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-map"}},
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: text",
    ],
}

MATRIX: dict[str, dict[str, Any]] = {
    "nothing but images": {},
    "simulator": {"simulator": {"enabled": True}},
    "a real Lingma": {"lingma": {"image": "example.test/lingma:1", "command": ["/bin/lingma", "-v"]}},
    "all namespaces": {"watch": {"namespaces": "all"}},
    "one router": {"router": {"replicas": 1}},
    "no CRD": {"crds": {"install": False}},
    "policies without monitoring": {"networkPolicy": {"enabled": True}},
    "everything": EVERYTHING,
}


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX.keys())
def test_strict_lint_finds_nothing(helm: Helm, values: dict[str, Any]) -> None:
    assert "0 chart(s) failed" in helm.lint({"image": IMAGES, **values})


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX.keys())
def test_each_object_is_named_once_and_labelled(helm: Helm, values: dict[str, Any]) -> None:
    objects = helm.render(values).objects
    identities = [(item["kind"], item["metadata"]["name"], item["metadata"].get("namespace")) for item in objects]
    assert len(set(identities)) == len(identities)
    for item in objects:
        if item["kind"] != "ConfigMap":  # of extraObjects, which are the user's
            labels = item["metadata"]["labels"]
            assert labels["app.kubernetes.io/name"] == "lingma-operator"
            assert labels["app.kubernetes.io/instance"] == "lingma"
            assert labels["app.kubernetes.io/managed-by"] == "Helm"
            assert labels.items() >= values.get("commonLabels", {}).items()


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX.keys())
def test_two_renders_are_equal_and_hold_no_secret(helm: Helm, values: dict[str, Any]) -> None:
    first = helm.render(values)
    assert first == helm.render(values)
    assert first.of("Secret") == []


def test_the_default_render_is_these_objects(helm: Helm) -> None:
    assert helm.render().names() == [
        "CustomResourceDefinition/lingmaaccounts.lingma.dev",
        "Deployment/lingma-operator",
        "Deployment/lingma-router",
        "PodDisruptionBudget/lingma-router",
        "Role/lingma-operator",
        "Role/lingma-router",
        "RoleBinding/lingma-operator",
        "RoleBinding/lingma-router",
        "Service/lingma",
        "ServiceAccount/lingma-operator",
        "ServiceAccount/lingma-router",
    ]


@pytest.mark.parametrize(
    ("release", "values", "fullname"),
    [
        ("lingma", {}, "lingma"),
        ("my-lingma-two", {}, "my-lingma-two"),
        ("ai", {}, "ai-lingma"),
        ("ai", {"nameOverride": "coder"}, "ai-coder"),
        ("ai", {"fullnameOverride": "coder"}, "coder"),
        ("a" * 53, {}, "a" * 45),
    ],
)
def test_names_begin_with_the_release(helm: Helm, release: str, values: dict[str, Any], fullname: str) -> None:
    rendered = helm.render(values, release=release)
    assert [item["metadata"]["name"] for item in rendered.of("Deployment")] == [
        f"{fullname}-operator",
        f"{fullname}-router",
    ]
    assert environment(rendered, "operator", fullname)["LINGMA_MASTER_SECRET"] == f"{fullname}-master"


@pytest.mark.parametrize("name", ["gateway", "operator"])
def test_an_image_without_repository_is_refused_with_what_to_do(helm: Helm, name: str) -> None:
    other = {key: image for key, image in IMAGES.items() if key != name}
    with pytest.raises(Refused) as refused:
        helm.render({"image": other})
    assert (
        f"image.{name}.repository is not set. Build and push the images with `make images REGISTRY=...`, then give the"
        f" repository of the {name} image, for example"
        f" `--set image.{name}.repository=registry.example.com/lingma-{name}`." in refused.value.message
    )


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ({}, "example.test/x:0.1.0"),
        ({"tag": "dev-1"}, "example.test/x:dev-1"),
        ({"tag": "dev-1", "digest": "sha256:" + "a" * 64}, "example.test/x@sha256:" + "a" * 64),
    ],
)
def test_a_digest_wins_over_a_tag_and_a_tag_over_the_version(helm: Helm, image: dict[str, str], reference: str) -> None:
    images = {name: {"repository": "example.test/x", **image} for name in ("gateway", "operator", "login")}
    rendered = helm.render({"image": images})
    assert container(rendered, "operator")["image"] == reference
    assert container(rendered, "router")["image"] == reference
    assert environment(rendered, "operator")["LINGMA_GATEWAY_IMAGE"] == reference
    assert environment(rendered, "operator")["LINGMA_LOGIN_IMAGE"] == reference


def test_the_image_of_the_browser_may_be_left_out(helm: Helm) -> None:
    assert environment(helm.render(), "operator")["LINGMA_LOGIN_IMAGE"] == ""


def test_pull_secrets_reach_our_pods_and_the_operator(helm: Helm) -> None:
    rendered = helm.render({"image": {**IMAGES, "pullSecrets": ["one", "two"], "pullPolicy": "Always"}})
    for pod in rendered.pods().values():
        assert pod["spec"]["imagePullSecrets"] == [{"name": "one"}, {"name": "two"}]
        assert {item["imagePullPolicy"] for item in pod["spec"]["containers"]} == {"Always"}
    assert environment(rendered, "operator")["LINGMA_IMAGE_PULL_SECRETS"] == "one,two"
    assert environment(rendered, "operator")["LINGMA_IMAGE_PULL_POLICY"] == "Always"


def test_the_operator_gets_the_environment_it_reads(helm: Helm) -> None:
    rendered = helm.render({**EVERYTHING, "lingma": {"image": "example.test/lingma:1", "command": ["/l", 'q"']}})
    found = environment(rendered, "operator")
    json_valued = ("COMMAND", "ROUTER_LABELS", "OPERATOR_LABELS", "MONITORING_LABELS", "GATEWAY_ENV")
    parsed = {name: json.loads(found.pop(f"LINGMA_{name}")) for name in json_valued}
    assert found == {
        "POD_NAMESPACE": "metadata.namespace",
        "POD_NAME": "metadata.name",
        "LOG_LEVEL": "info",
        "LINGMA_WATCH_NAMESPACES": f"{NAMESPACE},team-b,team-a",
        "LINGMA_GATEWAY_IMAGE": "example.test/gateway:0.1.0",
        "LINGMA_LOGIN_IMAGE": "",
        "LINGMA_IMAGE": "example.test/lingma:1",
        "LINGMA_SIMULATOR": "true",
        "LINGMA_IMAGE_PULL_POLICY": "IfNotPresent",
        "LINGMA_IMAGE_PULL_SECRETS": "",
        "LINGMA_MASTER_SECRET": "lingma-master",
        "LINGMA_API_KEYS_SECRET": "",
        "EXTRA": "6",
    }
    assert parsed["COMMAND"] == ["/l", 'q"']
    assert parsed["MONITORING_LABELS"] == {"app": "prometheus"}
    assert parsed["GATEWAY_ENV"] == {"DEFAULT_MODEL": "org_auto"}
    for component in ("router", "operator"):
        pod = rendered.one("Deployment", f"lingma-{component}")["spec"]["template"]
        assert pod["metadata"]["labels"].items() >= parsed[f"{component.upper()}_LABELS"].items()


def test_the_router_gets_the_environment_it_reads(helm: Helm) -> None:
    assert environment(helm.render(EVERYTHING), "router") == {
        "POD_NAMESPACE": "metadata.namespace",
        "POD_NAME": "metadata.name",
        "LOG_LEVEL": "debug",
        "LINGMA_WATCH_NAMESPACES": f"{NAMESPACE},team-b,team-a",
        "LINGMA_API_KEYS_DIR": "/var/run/lingma/api-keys",
        "LINGMA_MASTER_DIR": "/var/run/lingma/master",
        "LINGMA_DRAIN_SECONDS": "60",
        "EXTRA": "5",
    }


@pytest.mark.parametrize(
    ("existing", "mounted", "made"), [("", "lingma-api-keys", "lingma-api-keys"), ("ours", "ours", "")]
)
def test_the_router_mounts_the_api_keys_and_the_operator_makes_them_only_when_none_are_named(
    helm: Helm, existing: str, mounted: str, made: str
) -> None:
    rendered = helm.render({"apiKeys": {"existingSecret": existing}})
    volumes = {item["name"]: item for item in rendered.pods()["Deployment/lingma-router"]["spec"]["volumes"]}
    assert volumes["api-keys"]["secret"]["secretName"] == mounted
    assert volumes["master"]["secret"]["secretName"] == "lingma-master"
    assert not any(volume.get("secret", {}).get("optional") for volume in volumes.values())
    assert environment(rendered, "operator")["LINGMA_API_KEYS_SECRET"] == made


def test_the_service_leads_to_the_routers_port_of_clients(helm: Helm) -> None:
    rendered = helm.render(EVERYTHING)
    service = rendered.one("Service", "ai")
    assert service["spec"]["type"] == "LoadBalancer"
    assert service["metadata"]["annotations"] == {"lb": "internal"}
    (port,) = service["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (8080, "http")
    named = {item["name"]: item["containerPort"] for item in container(rendered, "router")["ports"]}
    assert named == {"http": 8317, "admin": 8318}
    pods = rendered.pods()
    assert pods["Deployment/lingma-router"]["metadata"]["labels"].items() >= service["spec"]["selector"].items()
    assert not pods["Deployment/lingma-operator"]["metadata"]["labels"].items() >= service["spec"]["selector"].items()


def test_no_router_leaves_before_its_successor_is_ready_and_its_streams_have_ended(helm: Helm) -> None:
    deployment = helm.render({"router": {"drainSeconds": 60}}).one("Deployment", "lingma-router")
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 80


def test_there_is_never_a_second_operator(helm: Helm) -> None:
    deployment = helm.render(EVERYTHING).one("Deployment", "lingma-operator")
    assert deployment["spec"]["replicas"] == 1
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}


@pytest.mark.parametrize(
    ("router", "expected"),
    [
        ({"replicas": 2}, 1),
        ({"replicas": 1}, 0),
        ({"replicas": 0}, 0),
        ({"replicas": 3, "podDisruptionBudget": {"enabled": False}}, 0),
    ],
)
def test_only_several_routers_have_a_disruption_budget(helm: Helm, router: dict[str, Any], expected: int) -> None:
    assert len(helm.render({"router": router}).of("PodDisruptionBudget")) == expected


def test_routers_are_spread_over_nodes_unless_the_user_says_how(helm: Helm) -> None:
    own = [{"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]
    for values, expected in (({}, "kubernetes.io/hostname"), ({"topologySpreadConstraints": own}, "zone")):
        pod = helm.render({"router": values}).pods()["Deployment/lingma-router"]
        assert [item["topologyKey"] for item in pod["spec"]["topologySpreadConstraints"]] == [expected]


@pytest.mark.parametrize("component", ["operator", "router"])
def test_placement_reaches_the_pods(helm: Helm, component: str) -> None:
    placement = {
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"podAffinity": {}},
        "priorityClassName": "high",
    }
    resources = {"limits": {"memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}}
    values = {**placement, "resources": resources, "podLabels": {"x": "y"}, "podAnnotations": {"z": "1"}}
    rendered = helm.render({component: values})
    pod = rendered.pods()[f"Deployment/lingma-{component}"]
    assert pod["spec"].items() >= placement.items()
    assert pod["metadata"]["labels"]["x"] == "y"
    assert pod["metadata"]["annotations"] == {"z": "1"}
    assert container(rendered, component)["resources"] == resources


def test_probes_ask_the_port_that_clients_do_not_reach(helm: Helm) -> None:
    rendered = helm.render()
    paths = {
        component: {
            probe: container(rendered, component)[probe]["httpGet"] for probe in ("livenessProbe", "readinessProbe")
        }
        for component in ("operator", "router")
    }
    assert paths == {
        "operator": {
            "livenessProbe": {"path": "/healthz", "port": "admin"},
            "readinessProbe": {"path": "/readyz", "port": "admin"},
        },
        "router": {
            "livenessProbe": {"path": "/livez", "port": "admin"},
            "readinessProbe": {"path": "/readyz", "port": "admin"},
        },
    }


def test_a_new_chart_version_alone_changes_no_pod(helm: Helm) -> None:
    for pod in helm.render().pods().values():
        assert not {"helm.sh/chart", "app.kubernetes.io/version"} & pod["metadata"]["labels"].keys()


def test_extra_objects_are_templates_whether_map_or_text(helm: Helm) -> None:
    assert [item["metadata"]["name"] for item in helm.render(EVERYTHING).of("ConfigMap")] == ["lingma-map", "text"]


def test_kubernetes_older_than_1_30_is_refused(helm: Helm) -> None:
    with pytest.raises(Refused, match=r"requires kubeVersion: >=1.30.0-0"):
        helm.render(kubernetes="1.29.9")
    assert helm.render(kubernetes="1.30.0-gke.1").objects
