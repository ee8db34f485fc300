"""Lists: the first fill, and the repair of what no watch told."""

import asyncio

import pytest

from lingma_operator import sync
from lingma_operator.cluster import ApiCluster
from lingma_operator.objects import Kind
from lingma_operator.queue import WorkQueue
from lingma_operator.store import Key, Store
from lingma_operator.sync import fill, resync
from tests.lingma_operator.fake_kubernetes import FakeKubernetes
from tests.lingma_operator.support import account, account_body, bundle_secret, desired, settings

ALICE = Key("team", "alice")


async def test_the_first_fill_takes_accounts_and_what_carries_our_labels(
    kubernetes: FakeKubernetes, cluster: ApiCluster
) -> None:
    await kubernetes.put(account_body())
    await kubernetes.put(bundle_secret())
    for child in desired(account()):
        await kubernetes.put(child)
    store = Store()
    assert await fill(cluster, store, settings()) == 0
    assert store.keys(Kind.ACCOUNT) == [ALICE]
    assert store.keys(Kind.SECRET) == [Key("team", "alice-gateway")]


async def test_a_resync_drops_ghosts_looks_at_everyone_and_survives_an_outage(
    kubernetes: FakeKubernetes, cluster: ApiCluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sync, "RESYNC_SECONDS", 0.01)
    store, queue = Store(), WorkQueue[Key]()
    await kubernetes.put(account_body("ghost", "uid-ghost"))
    await fill(cluster, store, settings())
    await kubernetes.remove(Kind.ACCOUNT, Key("team", "ghost"))
    await kubernetes.put(account_body())
    kubernetes.refusals[("GET", Kind.POD)] = (500, {})
    running = asyncio.create_task(resync(cluster, store, settings(), queue))
    asked = len(kubernetes.tokens)
    await kubernetes.until(lambda: len(kubernetes.tokens) > asked + 10)
    kubernetes.refusals.clear()
    async with asyncio.timeout(5):
        assert (await queue.get())[0] == ALICE
    running.cancel()
    assert store.keys(Kind.ACCOUNT) == [ALICE]
    assert "resync failed" in caplog.text
