"""The objects of an account: whole, against golden files, and rule by rule."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from lingma_contract.derivation import derive, read_lines
from lingma_contract.names import Container, Credential
from lingma_operator.account import LingmaAccount
from lingma_operator.credentials import contents, session_hash
from lingma_operator.manifests import children
from lingma_operator.manifests.container import ImageMissing
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


LOGIN: dict[str, Any] = {
    "browser": {"secretRef": {"name": "person", "passwordKey": "word"}, "resources": {"limits": {"memory": "2Gi"}}},
    "personalTokenSecretRef": {"name": "tokens", "key": "alice"},
    "accessKeySecretRef": {"name": "keys"},
    "dedicatedDomainUrl": "https://lingma.corp.example:8443",
}
BOOTSTRAP: dict[str, Any] = {"vsixUrl": "https://plugins.example/lingma.vsix", "sha256": "a" * 64}


def with_login(**environment: str) -> Settings:
    return settings(LINGMA_LOGIN_IMAGE="example.com/login:1", **environment)


def test_an_account_that_logs_in_by_itself_and_obtains_lingma_is_rendered_whole() -> None:
    of = account("carol", login=LOGIN, lingma={"bootstrap": BOOTSTRAP})
    check_golden("login", children(of, with_login(), contents([b"m" * 32], of.identity.uid), None))


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


@pytest.mark.parametrize("name", list(Container))
def test_every_container_passes_restricted_pod_security(name: Container) -> None:
    spec = pod(account(login=LOGIN, lingma={"bootstrap": BOOTSTRAP}), with_login())
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
    with pytest.raises(ImageMissing, match=r"spec\.lingma\.image"):
        pod(account(), settings(LINGMA_SIMULATOR=""))


def test_a_lingma_that_is_obtained_runs_from_where_it_was_put() -> None:
    spec = pod(account(lingma={"bootstrap": BOOTSTRAP}), settings(LINGMA_SIMULATOR=""))
    # After restore, which makes the folders that it needs.
    assert [item["name"] for item in spec["initContainers"]] == ["restore", "bootstrap", "lingma"]
    lingma, bootstrap = container(spec, "lingma"), container(spec, "bootstrap")
    assert (lingma["image"], lingma["command"]) == ("example.com/gateway:1", ["/lingma/program/Lingma"])
    assert bootstrap["command"][-2:] == ["--to", "/lingma/program"]
    assert bootstrap["terminationMessagePolicy"] == "FallbackToLogsOnError"
    assert "restartPolicy" not in bootstrap
    own = pod(account(lingma={"bootstrap": BOOTSTRAP, "image": "glibc:1"}))
    assert container(own, "lingma")["image"] == "glibc:1"


def test_what_obtains_lingma_knows_the_proxy_and_no_setting_else() -> None:
    by = settings(LINGMA_GATEWAY_ENV='{"HTTPS_PROXY": "http://proxy:3128", "API_KEYS": "sk-secret"}')
    variables = environment(container(pod(account(lingma={"bootstrap": BOOTSTRAP}), by), "bootstrap"))
    assert variables == {"HTTPS_PROXY": "http://proxy:3128", "HOME": "/lingma/home", "TMPDIR": "/lingma/tmp"}


def test_the_browser_is_a_container_of_its_own_for_accounts_that_ask_for_it() -> None:
    assert [item["name"] for item in pod(account(), with_login())["containers"]] == ["gateway"]
    spec = pod(account(login=LOGIN), with_login())
    assert [item["name"] for item in spec["containers"]] == ["gateway", "login"]
    assert container(spec, "login")["image"] == "example.com/login:1"
    port = environment(container(spec, "login"))["LOGIN_BROWSER_PORT"]
    assert port == environment(container(spec, "gateway"))["LOGIN_BROWSER_PORT"] == "8319"
    assert "ports" not in container(spec, "login")


def test_the_browser_holds_the_user_name_and_password_and_nothing_else() -> None:
    spec = pod(account(login=LOGIN, sessionSecretRef={"name": "s"}), with_login())
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    mounted = {mount["name"] for mount in container(spec, "login")["volumeMounts"]}
    assert mounted == {"login", "scratch"}
    assert volumes["login"]["secret"]["secretName"] == "person"
    assert [item["key"] for item in volumes["login"]["secret"]["items"]] == ["username", "word"]
    assert "emptyDir" in volumes["scratch"]
    for name in ("restore", "lingma", "gateway"):
        assert not {"login", "scratch"} & {mount["name"] for mount in container(spec, name)["volumeMounts"]}


def test_of_the_gateways_settings_the_browser_gets_those_about_browsers() -> None:
    by = with_login(LINGMA_GATEWAY_ENV='{"LOGIN_FORM_HOSTS": "corp.example", "API_KEYS": "sk-secret"}')
    of = account(login=LOGIN, gateway={"env": {"LOGIN_BROWSER_NO_SANDBOX": "false", "https_proxy": "http://p"}})
    variables = environment(container(pod(of, by), "login"))
    assert variables["LOGIN_FORM_HOSTS"] == "corp.example"
    assert variables["LOGIN_BROWSER_NO_SANDBOX"] == "false"
    assert variables["https_proxy"] == "http://p"
    assert variables["DEDICATED_DOMAIN_URL"] == "https://lingma.corp.example:8443"
    assert not {name for name in variables if "KEY" in name or name.startswith("LINGMA_ACCOUNT")}
    assert environment(container(pod(account(login=LOGIN), by), "login"))["LOGIN_BROWSER_NO_SANDBOX"] == "true"


def test_tokens_and_keys_are_files_of_the_gateway_alone() -> None:
    spec = pod(account(login=LOGIN), with_login())
    variables = environment(container(spec, "gateway"))
    assert variables["LINGMA_PERSONAL_TOKEN_FILE"] == "/var/run/lingma/personal-token/token"
    assert variables["LINGMA_ACCESS_KEY_FILE"] == "/var/run/lingma/access-key/access-key-id"
    assert variables["LINGMA_SECRET_KEY_FILE"] == "/var/run/lingma/access-key/access-key-secret"
    mounts = {mount["name"]: mount for mount in container(spec, "gateway")["volumeMounts"]}
    assert mounts["personal-token"]["readOnly"] and mounts["access-key"]["readOnly"]
    for name in ("restore", "lingma", "login"):
        assert not {"personal-token", "access-key"} & {m["name"] for m in container(spec, name)["volumeMounts"]}
        assert "LINGMA_PERSONAL_TOKEN_FILE" not in environment(container(spec, name))


def test_a_missing_login_secret_does_not_keep_the_pod_from_starting() -> None:
    volumes = {volume["name"]: volume for volume in pod(account(login=LOGIN), with_login())["volumes"]}
    assert all(volumes[name]["secret"]["optional"] for name in ("personal-token", "access-key", "login"))


def test_without_an_image_of_the_browser_the_error_says_where_to_set_one() -> None:
    with pytest.raises(ImageMissing, match=r"image\.login\.repository") as caught:
        pod(account(login=LOGIN))
    assert caught.value.reason == "LoginImageMissing"


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


@pytest.mark.parametrize(
    ("spec", "ports"),
    [
        ({}, [80, 443]),
        ({"login": {"dedicatedDomainUrl": "https://lingma.corp.example"}}, [80, 443]),
        ({"login": {"dedicatedDomainUrl": "https://lingma.corp.example:8443/x"}}, [80, 443, 8443]),
        ({"lingma": {"bootstrap": {**BOOTSTRAP, "vsixUrl": "http://mirror.team.svc:8080/x"}}}, [80, 443, 8080]),
        ({"login": {"dedicatedDomainUrl": "https://lingma.corp.example:99999"}}, [80, 443]),
    ],
)
def test_out_go_the_ports_of_the_web_and_those_that_the_spec_names(spec: Obj, ports: list[int]) -> None:
    objects = children(account(**spec), settings(), contents([b"m" * 32], "u"), None)
    (policy,) = (child for child in objects if kind_of(child) is Kind.NETWORK_POLICY)
    assert [port["port"] for port in policy["spec"]["egress"][1]["ports"]] == ports


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
