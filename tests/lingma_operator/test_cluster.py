"""The API client, against a fake API server on loopback."""

import ssl
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from lingma_operator.cluster import (
    AlreadyExists,
    ApiCluster,
    ApiUnavailable,
    Conflict,
    Connection,
    Forbidden,
    Immutable,
    Invalid,
    NotFound,
    connected,
    connection,
)
from lingma_operator.objects import Kind, Obj, kind_of
from lingma_operator.store import Key
from tests.lingma_operator.fake_kubernetes import FakeKubernetes
from tests.lingma_operator.support import PLANTED, account, account_body, bundle_secret, desired

SERVICE = desired(account())[2]
NAMED = Key("team", "alice-gateway")


async def test_an_applied_object_exists_and_is_returned(kubernetes: FakeKubernetes, cluster: ApiCluster) -> None:
    applied = await cluster.apply(SERVICE)
    assert applied["metadata"]["uid"]
    assert kubernetes.get(Kind.SERVICE, NAMED) == applied
    assert await cluster.get(Kind.SERVICE, "team", "alice-gateway") == applied


async def test_applying_the_same_again_changes_nothing(kubernetes: FakeKubernetes, cluster: ApiCluster) -> None:
    first = await cluster.apply(SERVICE)
    assert await cluster.apply(SERVICE) == first


async def test_every_request_shows_who_we_are(kubernetes: FakeKubernetes, cluster: ApiCluster) -> None:
    await cluster.apply(SERVICE)
    assert kubernetes.tokens == ["Bearer of-the-operator"]


async def test_a_missing_object_is_not_found(cluster: ApiCluster) -> None:
    with pytest.raises(NotFound):
        await cluster.get(Kind.SERVICE, "team", "nobody")


async def test_a_list_is_read_page_by_page_and_its_items_say_their_kind(
    kubernetes: FakeKubernetes, cluster: ApiCluster
) -> None:
    for name in ("a", "b", "c", "d", "e"):
        await kubernetes.put(account_body(name, f"uid-{name}"))
    listed = await cluster.list(Kind.ACCOUNT, "team")
    assert [item["metadata"]["name"] for item in listed] == ["a", "b", "c", "d", "e"]
    assert {kind_of(item) for item in listed} == {Kind.ACCOUNT}


async def test_a_list_is_filtered_by_labels_and_namespace(kubernetes: FakeKubernetes, cluster: ApiCluster) -> None:
    await cluster.apply(SERVICE)
    assert len(await cluster.list(Kind.SERVICE, None, {"lingma.dev/account": "alice"})) == 1
    assert await cluster.list(Kind.SERVICE, "team", {"lingma.dev/account": "bob"}) == []
    assert await cluster.list(Kind.SERVICE, "elsewhere") == []


async def test_what_exists_is_not_created_again(kubernetes: FakeKubernetes, cluster: ApiCluster) -> None:
    made = await cluster.create(bundle_secret())
    with pytest.raises(AlreadyExists):
        await cluster.create(bundle_secret(user=b"other"))
    assert kubernetes.get(Kind.SECRET, Key("team", "alice-bundle")) == made


async def test_a_status_is_written_beside_the_spec(kubernetes: FakeKubernetes, cluster: ApiCluster) -> None:
    body = await kubernetes.put(account_body())
    head = {"name": "alice", "namespace": "team", "uid": body["metadata"]["uid"]}
    written = await cluster.apply_status({**account_body(), "metadata": head, "status": {"poolReady": 1}})
    assert (written["status"], written["spec"]) == ({"poolReady": 1}, {})


async def test_a_status_of_nobody_is_not_found_and_that_of_a_predecessor_conflicts(
    kubernetes: FakeKubernetes, cluster: ApiCluster
) -> None:
    status = {**account_body(), "status": {}}
    with pytest.raises(NotFound):
        await cluster.apply_status(status)
    await kubernetes.put(account_body(uid="a new one"))
    with pytest.raises(Conflict):
        await cluster.apply_status(status)


async def test_only_the_very_object_is_deleted(kubernetes: FakeKubernetes, cluster: ApiCluster) -> None:
    applied = await cluster.apply(SERVICE)
    with pytest.raises(Conflict):
        await cluster.delete({**applied, "metadata": {**applied["metadata"], "uid": "another"}})
    await cluster.delete(applied)
    assert kubernetes.objects[Kind.SERVICE] == {}
    await cluster.delete(applied, orphan=True)


def invalid(message: str, field: str = "spec.ports", reason: str = "FieldValueInvalid") -> Obj:
    causes = [{"field": field, "reason": reason, "message": message}]
    return {"reason": "Invalid", "message": message, "details": {"causes": causes}}


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (403, {"reason": "Forbidden", "message": "no"}, Forbidden),
        (422, invalid("bad port"), Invalid),
        (422, {"reason": "Invalid"}, Invalid),
        (422, invalid("updates to statefulset spec for fields other than", "spec", "FieldValueForbidden"), Immutable),
        (422, invalid("field is immutable"), Immutable),
        (400, {}, Invalid),
        (401, {}, ApiUnavailable),
        (429, {}, ApiUnavailable),
        (500, {}, ApiUnavailable),
    ],
)
async def test_refusals_have_types(
    kubernetes: FakeKubernetes, cluster: ApiCluster, status: int, body: Obj, error: type[Exception]
) -> None:
    kubernetes.refusals[("PATCH", Kind.SERVICE)] = (status, body)
    with pytest.raises(error) as caught:
        await cluster.apply(SERVICE)
    assert type(caught.value) is error


async def test_what_the_api_server_says_of_a_secret_is_not_repeated(
    kubernetes: FakeKubernetes, cluster: ApiCluster
) -> None:
    kubernetes.refusals[("PATCH", Kind.SECRET)] = (422, {"reason": "Invalid", "message": PLANTED.decode()})
    with pytest.raises(Invalid) as caught:
        await cluster.apply(desired(account())[1])
    assert PLANTED.decode() not in str(caught.value)


async def test_no_answer_is_unavailable() -> None:
    async def nobody() -> None:
        return None

    async with connected(Connection("http://127.0.0.1:1", None, nobody), 1) as api:
        with pytest.raises(ApiUnavailable, match="ClientConnectorError"):
            await api.get(Kind.SERVICE, "team", "x")


async def test_an_answer_that_is_no_object_is_unavailable(connection: Connection) -> None:
    async with aiohttp.ClientSession() as session:
        api = ApiCluster(Connection("http://127.0.0.1:1", None, connection.authorization), session)
        with pytest.raises(ApiUnavailable):
            await api.list(Kind.SERVICE, None)


def certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca")])
    begin = datetime(2020, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin + timedelta(days=36500))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


async def test_in_a_pod_its_service_account_says_where_and_who(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("of-the-pod\n")
    (tmp_path / "ca.crt").write_bytes(certificate())
    module = "kubernetes.aio.config.incluster_config"
    monkeypatch.setattr(f"{module}.SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(f"{module}.SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.delenv("KUBECONFIG", raising=False)
    found = await connection()
    assert (found.server, found.verify, found.ca_path) == ("https://[fd00::1]:443", True, str(tmp_path / "ca.crt"))
    assert await found.authorization() == "bearer of-the-pod"
    assert found.ssl is not None
    assert found.ssl.verify_mode is ssl.CERT_REQUIRED


async def test_a_kubeconfig_says_where_and_who(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config"
    file.write_text(
        textwrap.dedent(
            """
            apiVersion: v1
            kind: Config
            clusters: [{name: c, cluster: {server: "https://127.0.0.1:6443/", insecure-skip-tls-verify: true}}]
            users: [{name: u, user: {token: its-token}}]
            contexts: [{name: x, context: {cluster: c, user: u}}]
            current-context: x
            """
        )
    )
    monkeypatch.setenv("KUBECONFIG", str(file))
    monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(file))
    found = await connection()
    assert (found.server, found.verify) == ("https://127.0.0.1:6443", False)
    assert await found.authorization() == "Bearer its-token"
    assert found.ssl is not None
    assert found.ssl.verify_mode is ssl.CERT_NONE
