"""LingmaAccount: parsed once, refused with the field's name."""

from typing import Any

import pytest

from lingma_operator.account import AccountInvalid, LingmaAccountStatus, parse, parse_status
from tests.lingma_operator.support import NOW, account, account_body

GOOD_URL = "https://plugins.example/lingma.vsix?version=2"


def test_an_empty_spec_has_the_documented_defaults() -> None:
    spec = account().spec
    assert spec.session_secret_ref is None
    assert (spec.suspend, spec.drain_seconds) == (False, 300)
    assert (spec.work.medium, spec.work.size_limit) == ("", "2Gi")
    assert (spec.lingma.image, spec.lingma.args, spec.gateway.env) == (None, [], {})


def test_an_object_without_a_spec_is_an_account() -> None:
    body = account_body()
    del body["spec"]
    assert parse(body).spec.drain_seconds == 300


def test_the_key_of_the_session_secret_is_bundle_unless_named() -> None:
    reference = account(sessionSecretRef={"name": "s"}).spec.session_secret_ref
    assert reference is not None
    assert reference.key == "bundle"


def test_fields_of_a_newer_version_are_ignored() -> None:
    assert account(fromTheFuture=1).spec.drain_seconds == 300


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"drainSeconds": -1}, "spec.drainSeconds"),
        ({"sessionSecretRef": {"name": "No Name"}}, "spec.sessionSecretRef.name"),
        ({"work": {"medium": "tape"}}, "spec.work.medium"),
        ({"gateway": {"resources": {"limits": {"cpu": "many"}}}}, "spec.gateway.resources.limits.cpu"),
        ({"lingma": {"bootstrap": {"vsixUrl": GOOD_URL, "sha256": "tape"}}}, "spec.lingma.bootstrap.sha256"),
        ({"login": {"browser": {"secretRef": {}}}}, "spec.login.browser.secretRef.name"),
        ({"login": {"dedicatedDomainUrl": "tape"}}, "spec.login.dedicatedDomainUrl"),
    ],
)
def test_an_invalid_field_is_named_and_its_value_is_not_shown(spec: dict[str, Any], field: str) -> None:
    with pytest.raises(AccountInvalid, match=field) as caught:
        account(**spec)
    assert "tape" not in str(caught.value).replace("'Memory'", "")


def test_a_status_survives_the_way_to_the_api_server_and_back() -> None:
    condition = {"type": "Ready", "status": "True", "reason": "Serving", "message": "m", "lastTransitionTime": NOW}
    status = LingmaAccountStatus.model_validate({"poolReady": 1, "conditions": [condition]})
    assert parse_status({"status": status.as_json()}) == status
    assert status.condition("Other") is None


def test_an_unreadable_status_counts_as_none() -> None:
    assert parse_status({"status": {"poolReady": "many"}}) == LingmaAccountStatus()


def test_the_keys_of_the_login_secrets_have_the_usual_names() -> None:
    login = account(
        login={
            "browser": {"secretRef": {"name": "person"}},
            "personalTokenSecretRef": {"name": "t"},
            "accessKeySecretRef": {"name": "k"},
        }
    ).spec.login
    assert login.configured and login.browser and login.personal_token_secret_ref and login.access_key_secret_ref
    assert (login.browser.secret_ref.username_key, login.browser.secret_ref.password_key) == ("username", "password")
    assert login.personal_token_secret_ref.key == "token"
    key = login.access_key_secret_ref
    assert (key.access_key_id_key, key.access_key_secret_key) == ("accessKeyId", "accessKeySecret")
    assert not account(login={"dedicatedDomainUrl": "https://lingma.example"}).spec.login.configured


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        (GOOD_URL, True),
        ("https://mirror.example:8443/x", True),
        ("http://mirror.team.svc/x", True),
        ("http://mirror.team.svc.cluster.local:8080", True),
        ("http://mirror.example/x", False),
        ("http://mirror.example/x.svc", False),
        ("http://evil.example?.svc", False),
        ("https://user:word@plugins.example/x", False),
        ("file:///x", False),
        ("https://plugins.example/a b", False),
    ],
)
def test_a_plugin_comes_by_https_or_from_a_service_of_the_cluster(url: str, taken: bool) -> None:
    spec: dict[str, Any] = {"lingma": {"bootstrap": {"vsixUrl": url, "sha256": "a" * 64}}}
    if taken:
        assert account(**spec).spec.lingma.bootstrap is not None
    else:
        with pytest.raises(AccountInvalid, match="vsixUrl"):
            account(**spec)
