"""The objects of an account: whole, against golden files, and rule by rule."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from lingma_contract.derivation import derive, read_lines
from lingma_contract.names import Credential
from lingma_operator.account import LingmaAccount
from lingma_operator.credentials import contents, session_hash
from lingma_operator.manifests import children
from lingma_operator.manifests.pod import NoLingma
from lingma_operator.manifests.statefulset import stateful_set
from lingma_operator.objects import CHILDREN, Kind, Obj, controller_of, kind_of, stamp
from lingma_operator.settings import Settings
from tests.lingma_operator.support import account, desired, settings

GOLDEN = Path(__file__).parent / "golden"


def check_golden(name: str, objects: tuple[Obj, ...]) -> None:
    """Compare with tests/lingma_operator/golden/NAME.yaml; UPDATE_GOLDEN=1 writes it instead."""
    text = yaml.safe_dump_all(objects, sort_keys=False, width=120)
    file = GOLDEN / f"{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(text)
    assert list(yaml.safe_load_all(file.read_text())) == list(yaml.safe_load_all(text))


def pod(of: LingmaAccount, by: Settings | None = None) -> Obj:
    spec: Obj = stateful_set(of, by or settings(), None)["spec"]["template"]["spec"]
    return spec


def container(spec: Obj, name: str) -> Obj:
    return next(item for item in [*spec["initContainers"], *spec["containers"]] if item["name"] == name)


def environment(of: Obj) -> dict[str, Any]:
    return {item["name"]: item.get("value") for item in of["env"]}


def test_a_simulated_account_is_rendered_whole() -> None:
    check_golden("simulated", desired(account(sessionSecretRef={"name": "alice-bundle"}), "hash-of-the-bundle"))


def test_an_account_with_everything_set_is_rendered_whole() -> None:
    full = account(
        "bob",
        sessionSecretRef={"name": "bobs", "key": "login"},
        suspend=True,
        lingma={
            "image": "example.com/lingma:2",
            "command": ["/bin/lingma"],
            "args": ["--verbose"],
            "resources": {"requests": {"cpu": 1}, "limits": {"memory": "1Gi"}},
        },
        gateway={"env": {"DEFAULT_MODEL": "org_auto"}, "resources": {"limits": {"memory": "1Gi"}}},
        work={"medium": "Memory", "sizeLimit": "512Mi"},
        drainSeconds=60,
    )
    by = settings(
        LINGMA_SIMULATOR="",
        LINGMA_IMAGE_PULL_SECRETS="pull",
        LINGMA_IMAGE_PULL_POLICY="Always",
        LINGMA_MONITORING_LABELS='{"app": "prometheus"}',
        LINGMA_GATEWAY_ENV='{"DEFAULT_MODEL": "other", "UNKNOWN_MODEL": "reject"}',
    )
    check_golden("full", children(full, by, contents([b"m" * 32, b"p" * 32], full.identity.uid), None))


def test_every_object_belongs_to_the_account_and_says_what_it_was_made_from() -> None:
    objects = desired(account())
    assert tuple(kind_of(child) for child in objects) == CHILDREN
    for child in objects:
        owner = controller_of(child)
        assert owner is not None
        assert (owner["uid"], owner["controller"], owner["blockOwnerDeletion"]) == ("uid-alice", True, True)
        assert child["metadata"]["name"] == "alice-gateway"
        assert child["metadata"]["labels"]["lingma.dev/account"] == "alice"
        assert stamp(child) is not None


def test_equal_wishes_have_equal_stamps_and_others_differ() -> None:
    def stamps(of: LingmaAccount) -> list[str | None]:
        return [stamp(child) for child in desired(of)]

    assert stamps(account()) == stamps(account())
    assert stamps(account())[-1] != stamps(account(drainSeconds=1))[-1]


def test_streams_have_the_drain_time_and_lingma_twenty_seconds_more() -> None:
    spec = pod(account(drainSeconds=40))
    assert spec["terminationGracePeriodSeconds"] == 60
    assert environment(container(spec, "gateway"))["LINGMA_DRAIN_SECONDS"] == "40"


def test_lingma_starts_before_the_gateway_and_is_restarted_alone() -> None:
    spec = pod(account())
    assert [item["name"] for item in spec["initContainers"]] == ["restore", "lingma"]
    assert [item["name"] for item in spec["containers"]] == ["gateway"]
    assert container(spec, "lingma")["restartPolicy"] == "Always"
    assert "restartPolicy" not in container(spec, "restore")


def test_a_restart_of_the_gateway_never_costs_lingma_its_life() -> None:
    spec = pod(account())
    lingma, gateway = container(spec, "lingma")["livenessProbe"], container(spec, "gateway")["livenessProbe"]
    assert lingma["httpGet"] == {"path": "/livez/lingma", "port": 8318}
    patience = lingma["periodSeconds"] * lingma["failureThreshold"]
    assert patience > gateway["periodSeconds"] * gateway["failureThreshold"] + 30
    assert "startupProbe" not in container(spec, "gateway")


@pytest.mark.parametrize("name", ["restore", "lingma", "gateway"])
def test_every_container_passes_restricted_pod_security(name: str) -> None:
    spec = pod(account())
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(spec, name)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_program_is_the_accounts_own_else_the_simulator_else_the_operators() -> None:
    own = account(lingma={"image": "mine:1"})
    assert container(pod(own), "lingma")["image"] == "mine:1"
    assert container(pod(own), "lingma")["command"] == ["/opt/lingma/Lingma"]
    assert container(pod(account()), "lingma")["command"] == ["lingma-sim"]
    real = settings(LINGMA_SIMULATOR="", LINGMA_IMAGE="lingma:7")
    assert container(pod(account(), real), "lingma")["image"] == "lingma:7"
    assert container(pod(account(lingma={"command": ["/x"]}), real), "lingma")["command"] == ["/x"]


def test_without_an_image_the_error_says_where_to_set_one() -> None:
    with pytest.raises(NoLingma, match=r"spec\.lingma\.image"):
        pod(account(), settings(LINGMA_SIMULATOR=""))


def test_lingma_sees_neither_credentials_nor_the_bundle() -> None:
    assert [mount["name"] for mount in container(pod(account()), "lingma")["volumeMounts"]] == ["work"]


def test_nobody_can_set_what_the_operator_sets() -> None:
    by = settings(LINGMA_GATEWAY_ENV='{"LINGMA_ACCOUNT": "eve", "POD_NAME": "eve", "HOME": "/"}')
    variables = container(pod(account(), by), "gateway")["env"]
    names = [item["name"] for item in variables]
    assert len(names) == len(set(names))
    assert "eve" not in str(variables)
    assert environment({"env": variables})["HOME"] == "/lingma/home"


def test_an_account_without_a_session_secret_mounts_an_empty_folder() -> None:
    volumes = {volume["name"]: volume for volume in pod(account())["volumes"]}
    assert "emptyDir" in volumes["bundle"]


def test_a_missing_session_secret_does_not_keep_the_pod_from_starting() -> None:
    volumes = {volume["name"]: volume for volume in pod(account(sessionSecretRef={"name": "s"}))["volumes"]}
    assert volumes["bundle"]["secret"]["optional"] is True
    assert "optional" not in volumes["credentials"]["secret"]


def test_a_suspended_account_keeps_all_but_its_pod() -> None:
    assert stateful_set(account(suspend=True), settings(), None)["spec"]["replicas"] == 0
    assert len(desired(account(suspend=True))) == len(CHILDREN)


def ingress(by: Settings) -> list[Obj]:
    policy = next(
        child
        for child in children(account(), by, contents([b"m" * 32], "u"), None)
        if kind_of(child) is Kind.NETWORK_POLICY
    )
    rules: list[Obj] = policy["spec"].get("ingress", [])
    return rules


def test_without_labels_nobody_is_let_in_rather_than_everybody() -> None:
    assert ingress(settings(LINGMA_ROUTER_LABELS="", LINGMA_OPERATOR_LABELS="")) == []


def test_no_rule_lets_everyone_in() -> None:
    for rule in ingress(settings(LINGMA_MONITORING_LABELS='{"a": "b"}')):
        assert rule["from"]
        assert all(peer["podSelector"]["matchLabels"] for peer in rule["from"])


def test_clients_port_is_for_the_router_alone() -> None:
    (rule,) = [rule for rule in ingress(settings()) if rule["ports"][0]["port"] == 8317]
    release = {"kubernetes.io/metadata.name": "lingma"}
    assert rule["from"] == [
        {"namespaceSelector": {"matchLabels": release}, "podSelector": {"matchLabels": {"app": "router"}}}
    ]


def test_the_gateway_gets_the_accounts_credentials_current_and_previous() -> None:
    held = contents([b"m" * 32, b"p" * 32], "uid")
    assert read_lines(held["router-token"]) == (
        derive(b"m" * 32, Credential.ROUTER_TOKEN, "uid"),
        derive(b"p" * 32, Credential.ROUTER_TOKEN, "uid"),
    )
    assert sorted(held) == ["account-key", "admin-token", "router-token"]


def test_the_session_hash_tells_bundles_apart_and_accounts_apart() -> None:
    one = session_hash([b"m" * 32], "uid", "digest", None)
    assert one == session_hash([b"m" * 32], "uid", "digest", None)
    assert (
        len({one, session_hash([b"m" * 32], "uid", "other", one), session_hash([b"m" * 32], "else", "digest", one)})
        == 3
    )


def test_a_new_master_does_not_restart_the_pods() -> None:
    old, new = b"o" * 32, b"n" * 32
    live = session_hash([old], "uid", "digest", None)
    assert session_hash([new, old], "uid", "digest", live) == live
    assert session_hash([new, old], "uid", "changed", live) == session_hash([new], "uid", "changed", None)
