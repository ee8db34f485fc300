"""The life of an account on a real Kubernetes."""

import base64

import pytest

from demo import accounts
from demo.kube import KubectlFailed, condition, holds
from lingma_contract import bundle as bundles
from lingma_contract.names import captured_secret_name, children_name
from tests.e2e.support import Lingma, lingma_restarts

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240, func_only=True)]

PLUGIN, SUM = "https://plugins.example/lingma.vsix", "a" * 64


def test_applied_accounts_become_ready(lingma: Lingma, pool: tuple[str, ...]) -> None:
    lingma.kube.wait("condition=Ready", "lingmaaccount", *pool)
    for name in pool:
        account = lingma.account_ready(name)
        status = account["status"]
        assert (status["poolReady"], status["poolSize"]) == (1, 1)
        assert status["observedGeneration"] == account["metadata"]["generation"]
        for kind in ("Ready", "PoolReady", "LoggedIn", "SessionValid"):
            assert holds(account, kind), condition(account, kind)


def test_kubectl_get_shows_the_state_in_columns(lingma: Lingma, pool: tuple[str, ...]) -> None:
    header, *rows = lingma.kube.run("get", "lma", *pool).splitlines()
    assert header.split()[:3] == ["NAME", "READY", "REASON"]
    assert [row.split()[:2] for row in rows] == [[name, "True"] for name in pool]


def test_the_pods_of_accounts_were_admitted_as_restricted(lingma: Lingma, pool: tuple[str, ...]) -> None:
    found = lingma.kube.run("get", "namespace", lingma.kube.namespace, "--output", "yaml")
    assert "pod-security.kubernetes.io/enforce: restricted" in found
    for name in pool:
        assert lingma.pod(name)["status"]["phase"] == "Running"


def test_an_account_without_a_session_says_why_and_becomes_ready_when_its_secret_appears(lingma: Lingma) -> None:
    with lingma.account("carol") as name:
        waiting = lingma.account_when(
            name, lambda seen: holds(seen, "Ready", "False") and holds(seen, "SessionValid", "False")
        )
        said = condition(waiting, "Ready")
        assert said is not None
        assert accounts.secret_name(name) in said["message"], "the sentence names the Secret that is missing"
        lingma.event_about(name, lambda event: event["message"] == said["message"])

        lingma.kube.apply(accounts.secret(name, accounts.bundle("carol-uid")))
        lingma.account_ready(name)
        assert lingma.chat_with(name, "@sim whoami").text == "carol-uid"


def test_a_killed_lingma_makes_the_account_unready_until_it_is_logged_in_again(lingma: Lingma) -> None:
    with lingma.account("dave", uid="dave-uid") as name:
        lingma.account_ready(name)
        pod = lingma.pod(name)
        # The first restart is at once and may be over before anybody is told; the second one waits ten seconds.
        for number in (1, 2):
            lingma.kill_lingma(name)
            if number == 1:
                lingma.wait_restarts(name, 1)
                lingma.account_ready(name)
        lingma.kube.wait("condition=Ready=false", f"pod/{children_name(name)}-0", seconds=60)
        lingma.account_when(name, lambda seen: holds(seen, "Ready", "False"))

        lingma.account_ready(name)
        lingma.kube.wait("condition=Ready", f"pod/{children_name(name)}-0", seconds=60)
        same = lingma.pod(name)
        assert same["metadata"]["uid"] == pod["metadata"]["uid"], "the pod itself was not replaced"
        assert lingma_restarts(same) == 2
        assert lingma.chat_with(name, "@sim whoami").text == "dave-uid"


def test_a_changed_bundle_rolls_the_pod_and_its_session_is_the_one_used(lingma: Lingma) -> None:
    with lingma.account("erin", uid="erin-before") as name:
        lingma.account_ready(name)
        assert lingma.chat_with(name, "@sim whoami").text == "erin-before"
        before = lingma.pod(name)["metadata"]["uid"]

        lingma.kube.apply(accounts.secret(name, accounts.bundle("erin-after")))
        lingma.kube.watch(
            "pods",
            f"{children_name(name)}-0",
            lambda event, pod: event != "DELETED" and pod["metadata"]["uid"] != before,
            seconds=90,
        )
        lingma.kube.wait("condition=Ready", f"pod/{children_name(name)}-0")
        lingma.account_ready(name)
        assert lingma.chat_with(name, "@sim whoami").text == "erin-after"


def test_a_login_that_lingma_refreshed_outlives_its_pod(lingma: Lingma) -> None:
    always_due = {"gateway": {"env": {"LOGIN_REFRESH_BEFORE": "99999999"}}}
    with lingma.account("heidi", uid="heidi-uid", **always_due) as name:
        lingma.account_ready(name)
        kept = lingma.kube.watch("secrets", captured_secret_name(name), lambda event, _: event != "DELETED", seconds=90)
        given = bundles.unpack(base64.b64decode(lingma.secret(accounts.secret_name(name))["data"]["bundle"]))
        captured = bundles.unpack(base64.b64decode(kept["data"]["bundle"]))
        assert captured.files["id"] == given.files["id"]
        assert captured.files["user"] != given.files["user"]
        assert base64.b64decode(kept["data"]["derived-from"]).decode() == given.digest

        lingma.kube.run("delete", "pod", f"{children_name(name)}-0")
        lingma.kube.wait("condition=Ready", f"pod/{children_name(name)}-0", seconds=90)
        restored = lingma.kube.run("logs", f"{children_name(name)}-0", "-c", "restore")
        assert "the captured session was restored" in restored
        assert lingma.chat_with(name, "@sim whoami").text == "heidi-uid"


def test_a_change_of_the_secret_that_leaves_the_bundle_rolls_nothing(lingma: Lingma) -> None:
    with lingma.account("frank", uid="frank-uid") as name:
        before = lingma.account_ready(name)["metadata"]["generation"]
        rollouts = lingma.statefulset(name)["metadata"]["generation"]
        lingma.kube.run("annotate", "secret", accounts.secret_name(name), "touched=yes")
        # The operator has dealt with the annotation when it has acted on a later change, which rolls the pod once.
        lingma.kube.run("patch", "lma", name, "--type=merge", "--patch", '{"spec": {"drainSeconds": 6}}')
        lingma.account_when(name, lambda seen: seen["status"]["observedGeneration"] == before + 1)
        assert lingma.statefulset(name)["metadata"]["generation"] == rollouts + 1


def test_deleting_the_account_removes_its_objects_and_leaves_the_users_secret(lingma: Lingma) -> None:
    with lingma.account("grace", uid="grace-uid") as name:
        lingma.account_ready(name)
        kinds = {each.partition("/")[0].partition(".")[0] for each in lingma.owned_by(name)}
        assert kinds >= {"statefulset", "service", "secret", "networkpolicy", "serviceaccount", "pod"}
        lingma.delete_account(name)
        assert lingma.owned_by(name) == []
        assert lingma.kube.get("secret", accounts.secret_name(name)) is not None


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"drainSeconds": -1}, "spec.drainSeconds"),
        ({"drainSeconds": "long"}, "spec.drainSeconds"),
        ({"work": {"medium": "Floppy"}}, "spec.work.medium"),
        ({"work": {"sizeLimit": "much"}}, "spec.work.sizeLimit"),
        ({"sessionSecretRef": {"key": "bundle"}}, "spec.sessionSecretRef.name"),
        ({"gateway": {"env": {"LINGMA_ACCOUNT": "other"}}}, "spec.gateway.env"),
        ({"lingma": {"command": []}}, "spec.lingma.command"),
        ({"lingma": {"bootstrap": {"vsixUrl": PLUGIN, "sha256": "abc"}}}, "sha256 must be 64 hexadecimal digits"),
        (
            {"lingma": {"bootstrap": {"vsixUrl": "http://x.example/x", "sha256": SUM}}},
            "vsixUrl must be an https address",
        ),
        ({"lingma": {"bootstrap": {"vsixUrl": PLUGIN}}}, "spec.lingma.bootstrap.sha256"),
        (
            {"lingma": {"bootstrap": {"vsixUrl": PLUGIN, "sha256": SUM}, "command": ["/x"]}},
            "spec.lingma.command and spec.lingma.bootstrap exclude each other",
        ),
        ({"login": {"browser": {}}}, "spec.login.browser.secretRef"),
        ({"login": {"dedicatedDomainUrl": "lingma.example"}}, "spec.login.dedicatedDomainUrl"),
    ],
)
def test_an_invalid_account_is_refused_with_the_field(lingma: Lingma, spec: dict[str, object], field: str) -> None:
    with pytest.raises(KubectlFailed) as refused:
        lingma.create_unchecked(accounts.account("mallory", **spec))
    assert field in refused.value.said
    assert lingma.kube.get("lma", "mallory") is None


@pytest.mark.parametrize("name", ["a" * 45, "with.dots"])
def test_a_name_that_its_objects_could_not_carry_is_refused(lingma: Lingma, name: str) -> None:
    with pytest.raises(KubectlFailed) as refused:
        lingma.create_unchecked(accounts.account(name))
    assert "metadata.name" in refused.value.said
