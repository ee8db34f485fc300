"""Who may do what: RBAC and NetworkPolicies."""

from typing import Any

import pytest

from tests.chart.support import NAMESPACE, Helm, Object, Rendered

READ = {"get", "list", "watch"}
WRITE = READ | {"create", "patch", "delete"}

OPERATOR = {
    "lingma.dev/lingmaaccounts": READ,
    "lingma.dev/lingmaaccounts/status": {"patch", "update"},
    "lingma.dev/lingmaaccounts/finalizers": {"update"},
    "apps/statefulsets": WRITE,
    "/services": WRITE,
    "/secrets": WRITE,
    "/serviceaccounts": WRITE,
    "networking.k8s.io/networkpolicies": WRITE,
    "/pods": READ,
    "/events": {"create", "patch"},
}
ROUTER = {"lingma.dev/lingmaaccounts": READ, "discovery.k8s.io/endpointslices": READ}


def permissions(role: Object) -> dict[str, set[str]]:
    """`group/resource` -> verbs."""
    found: dict[str, set[str]] = {}
    for rule in role["rules"]:
        assert set(rule) == {"apiGroups", "resources", "verbs"}
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                found.setdefault(f"{group}/{resource}", set()).update(rule["verbs"])
    return found


def assert_bound(rendered: Rendered, role: Object, account: str) -> None:
    """The role is bound to the release's ServiceAccount `account`, and to nothing else."""
    name, namespace = role["metadata"]["name"], role["metadata"].get("namespace")
    binding = rendered.one(f"{role['kind']}Binding", name, namespace)
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": role["kind"], "name": name}
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}]


@pytest.mark.parametrize("watched", [[], [NAMESPACE], ["team-a", NAMESPACE, "team-b", "team-a"]])
def test_roles_exist_in_the_watched_namespaces_and_in_the_releases_own(helm: Helm, watched: list[str]) -> None:
    rendered = helm.render({"watch": {"namespaces": watched}})
    assert rendered.of("ClusterRole") == rendered.of("ClusterRoleBinding") == []
    for component, expected in (("operator", OPERATOR), ("router", ROUTER)):
        roles = [role for role in rendered.of("Role") if role["metadata"]["name"].endswith(component)]
        namespaces = sorted(role["metadata"]["namespace"] for role in roles)
        assert namespaces == sorted({NAMESPACE, *watched})
        for role in roles:
            assert permissions(role) == expected
            assert_bound(rendered, role, f"lingma-{component}")
    assert len(rendered.of("RoleBinding")) == len(rendered.of("Role"))


def test_watching_all_namespaces_takes_cluster_roles_and_no_role(helm: Helm) -> None:
    rendered = helm.render({"watch": {"namespaces": "all"}})
    assert rendered.of("Role") == rendered.of("RoleBinding") == []
    for component, expected in (("operator", OPERATOR), ("router", ROUTER)):
        role = rendered.one("ClusterRole", f"{NAMESPACE}-lingma-{component}")
        assert permissions(role) == expected
        assert_bound(rendered, role, f"lingma-{component}")
    assert len(rendered.of("ClusterRole")) == len(rendered.of("ClusterRoleBinding")) == 2
    for pod in rendered.pods().values():
        variables = {entry["name"]: entry.get("value") for entry in pod["spec"]["containers"][0]["env"]}
        assert variables["LINGMA_WATCH_NAMESPACES"] == "*"


def test_roles_outside_the_release_carry_its_namespace_so_that_two_releases_do_not_meet(helm: Helm) -> None:
    rendered = helm.render({"watch": {"namespaces": ["team-a"]}, "rbac": {"aggregateClusterRoles": True}})
    shared = [item for kind in ("Role", "RoleBinding", "ClusterRole") for item in rendered.of(kind)]
    for item in shared:
        if item["metadata"].get("namespace") != NAMESPACE:
            assert item["metadata"]["name"].startswith(f"{NAMESPACE}-lingma-")


def test_the_cluster_roles_of_people_are_aggregated_and_hold_accounts_only(helm: Helm) -> None:
    roles = helm.render({"rbac": {"aggregateClusterRoles": True}}).of("ClusterRole")
    prefix = "rbac.authorization.k8s.io/aggregate-to-"
    found = {}
    for role in roles:
        targets = {key.removeprefix(prefix) for key in role["metadata"]["labels"] if key.startswith(prefix)}
        found[frozenset(targets)] = permissions(role)
    assert found == {
        frozenset({"view", "edit", "admin"}): {"lingma.dev/lingmaaccounts": READ},
        frozenset({"edit", "admin"}): {
            "lingma.dev/lingmaaccounts": {"create", "delete", "deletecollection", "patch", "update"}
        },
    }


def admits(policy: Object, port: int, peer: dict[str, str]) -> bool:
    """Whether an ingress rule of the policy lets a pod with labels `peer`, of any namespace, reach `port`."""
    for rule in policy["spec"].get("ingress", []):
        ports = [item["port"] for item in rule.get("ports", [])]
        if ports and port not in ports:
            continue
        peers = rule.get("from")
        if peers is None:
            return True
        if any(peer.items() >= item["podSelector"]["matchLabels"].items() for item in peers):
            return True
    return False


PROMETHEUS = {"app": "prometheus"}
CLIENT = {"ai": "yes"}
STRANGER = {"who": "knows"}


@pytest.mark.parametrize(
    ("values", "component", "open_to"),
    [
        ({}, "router", {(8317, "prometheus"), (8317, "client"), (8317, "stranger")}),
        ({}, "operator", set()),
        ({"labels": True}, "operator", {(8318, "prometheus")}),
        ({"labels": True, "clients": True}, "router", {(8318, "prometheus"), (8317, "client")}),
    ],
)
def test_policies_open_the_ports_to_whom_the_values_name(
    helm: Helm, values: dict[str, Any], component: str, open_to: set[tuple[int, str]]
) -> None:
    rendered = helm.render(
        {
            "networkPolicy": {
                "enabled": True,
                "clients": [{"namespaceSelector": {}, "podSelector": {"matchLabels": CLIENT}}]
                if "clients" in values
                else [],
            },
            "monitoring": {"labels": PROMETHEUS if "labels" in values else {}},
        }
    )
    policy = rendered.one("NetworkPolicy", f"lingma-{component}")
    people = {"prometheus": PROMETHEUS, "client": CLIENT, "stranger": STRANGER}
    assert {
        (port, who) for port in (8317, 8318) for who, peer in people.items() if admits(policy, port, peer)
    } == open_to
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]


@pytest.mark.parametrize(("component", "port"), [("router", 8317), ("operator", 8318)])
def test_policies_let_out_to_names_the_api_server_and_the_accounts_gateways(
    helm: Helm, component: str, port: int
) -> None:
    rendered = helm.render({"networkPolicy": {"enabled": True, "apiServerPorts": [6443]}})
    policy = rendered.one("NetworkPolicy", f"lingma-{component}")
    dns, api_server, accounts = policy["spec"]["egress"]
    assert [(item["port"], item["protocol"]) for item in dns["ports"]] == [(53, "UDP"), (53, "TCP")]
    assert [item["port"] for item in api_server["ports"]] == [6443]
    assert [item["port"] for item in accounts["ports"]] == [port]
    (peer,) = accounts["to"]
    assert peer["podSelector"]["matchLabels"] == {
        "app.kubernetes.io/name": "lingma",
        "app.kubernetes.io/component": "account",
    }
    assert peer["namespaceSelector"] == {}
    pod = rendered.pods()[f"Deployment/lingma-{component}"]
    assert pod["metadata"]["labels"].items() >= policy["spec"]["podSelector"]["matchLabels"].items()


@pytest.mark.parametrize(
    ("watched", "selector"),
    [([], {"matchNames": [NAMESPACE]}), (["a"], {"matchNames": [NAMESPACE, "a"]}), ("all", {"any": True})],
)
def test_the_pod_monitor_reads_metrics_where_accounts_are(
    helm: Helm, watched: str | list[str], selector: dict[str, Any]
) -> None:
    values = {"watch": {"namespaces": watched}, "monitoring": {"podMonitor": {"enabled": True}}}
    monitor = helm.render(values).one("PodMonitor", "lingma")
    assert monitor["spec"]["namespaceSelector"] == selector
    assert monitor["spec"]["podMetricsEndpoints"] == [{"portNumber": 8318, "path": "/metrics", "interval": "30s"}]
