"""The Secrets of the release: made once, never overwritten."""

import base64

import pytest

from lingma_contract.derivation import masters
from lingma_operator.bootstrap import REREAD_SECONDS, MasterInvalid, Masters, ensure_secrets
from lingma_operator.cluster import ApiCluster
from lingma_operator.objects import Kind
from lingma_operator.store import Key
from tests.lingma_operator.fake_kubernetes import FakeKubernetes
from tests.lingma_operator.support import settings

MASTER, KEYS = Key("lingma", "lingma-master"), Key("lingma", "lingma-api-keys")


def value(kubernetes: FakeKubernetes, secret: Key, key: str) -> bytes:
    return base64.b64decode(kubernetes.get(Kind.SECRET, secret)["data"][key])


async def test_both_secrets_are_made_and_usable(kubernetes: FakeKubernetes, cluster: ApiCluster) -> None:
    await ensure_secrets(cluster, settings())
    assert masters({"current": value(kubernetes, MASTER, "current")})
    assert value(kubernetes, KEYS, "default").startswith(b"sk-lingma-")
    assert (
        kubernetes.get(Kind.SECRET, MASTER)["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "lingma-operator"
    )


async def test_what_exists_is_not_touched(kubernetes: FakeKubernetes, cluster: ApiCluster) -> None:
    await ensure_secrets(cluster, settings())
    before = dict(kubernetes.objects[Kind.SECRET])
    await ensure_secrets(cluster, settings())
    assert kubernetes.objects[Kind.SECRET] == before


async def test_a_second_operator_that_was_quicker_is_no_error(kubernetes: FakeKubernetes, cluster: ApiCluster) -> None:
    kubernetes.refusals[("POST", Kind.SECRET)] = (409, {"reason": "AlreadyExists"})
    await ensure_secrets(cluster, settings())


async def test_keys_of_the_users_own_are_not_made(kubernetes: FakeKubernetes, cluster: ApiCluster) -> None:
    await ensure_secrets(cluster, settings(LINGMA_API_KEYS_SECRET=""))
    assert list(kubernetes.objects[Kind.SECRET]) == [MASTER]


async def test_values_are_not_logged(
    kubernetes: FakeKubernetes, cluster: ApiCluster, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    await ensure_secrets(cluster, settings())
    told = caplog.text + repr([vars(record) for record in caplog.records])
    for secret, key in ((MASTER, "current"), (KEYS, "default")):
        assert value(kubernetes, secret, key).decode() not in told


async def test_the_master_is_read_again_after_a_minute(kubernetes: FakeKubernetes, cluster: ApiCluster) -> None:
    now = [0.0]
    held = Masters(cluster, settings(), lambda: now[0])
    (first,) = await held.current()
    new = {"current": base64.b64encode(b"n" * 32).decode(), "previous": base64.b64encode(first).decode()}
    await kubernetes.edit(Kind.SECRET, MASTER, lambda obj: obj.update(data=new))
    assert await held.current() == (first,)
    now[0] = REREAD_SECONDS
    assert await held.current() == (b"n" * 32, first)


@pytest.mark.parametrize("data", [None, {}, {"current": "c2hvcnQ="}, {"current": "no base64"}])
async def test_a_master_that_is_none_is_said_without_showing_it(
    kubernetes: FakeKubernetes, cluster: ApiCluster, data: dict[str, str] | None
) -> None:
    metadata = {"name": "lingma-master", "namespace": "lingma"}
    await kubernetes.put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
    with pytest.raises(MasterInvalid, match="lingma-master") as caught:
        await Masters(cluster, settings(), lambda: 0.0).current()
    assert "short" not in str(caught.value).replace("shorter", "")
