"""The directory follows a cluster whose API server does what API servers do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from lingma_router.cluster import Access, ApiError, Cluster, access
from lingma_router.directory import Directory, Resource
from lingma_router.watching import Backoff, Watchers, path_of
from tests.lingma_router.conftest import Lines
from tests.lingma_router.support import FakeKubernetes, account_object, listening, slice_object, until


class Followed:
    """A fake cluster and the directory that follows it."""

    def __init__(self, kubernetes: FakeKubernetes, directory: Directory, watchers: Watchers) -> None:
        self.kubernetes = kubernetes
        self.directory = directory
        self.watchers = watchers

    def names(self) -> set[str]:
        return {listed.account.name for listed in self.directory.snapshot.accounts.values()}

    async def knows(self, *names: str) -> None:
        await until(lambda: self.names() == set(names))

    async def watching(self, count: int = 2) -> None:
        await until(lambda: len(self.kubernetes.watches) >= count)


@asynccontextmanager
async def followed(
    kubernetes: FakeKubernetes, namespaces: tuple[str, ...] = ("team",), silence_s: float = 30
) -> AsyncIterator[Followed]:
    async def authorization() -> str | None:
        return "bearer token-of-now"

    directory = Directory()
    async with listening(kubernetes.handle) as port:
        entry = Access(f"http://127.0.0.1:{port}", None, authorization)
        async with Cluster(entry, watch_timeout_s=300, watch_silence_s=silence_s) as cluster:
            watchers = Watchers(cluster, directory, namespaces, lambda: Backoff(0.001, 0.01))
            running = asyncio.create_task(watchers.run())
            yield Followed(kubernetes, directory, watchers)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_what_is_there_is_listed_and_what_changes_is_followed() -> None:
    kubernetes = FakeKubernetes()
    await kubernetes.put(Resource.ACCOUNTS, account_object("alice"))
    async with followed(kubernetes) as made:
        await made.watchers.wait_synced()
        assert made.watchers.synced
        assert made.names() == {"alice"}
        await kubernetes.put(Resource.ACCOUNTS, account_object("bob"))
        await made.knows("alice", "bob")
        await kubernetes.put(Resource.SLICES, slice_object("bob", "10.0.0.2"))
        await until(lambda: set(made.directory.snapshot.ready) == {"uid-bob"})
        await kubernetes.remove(Resource.ACCOUNTS, account_object("alice"))
        await made.knows("bob")
    assert {token for _, _, token in kubernetes.requests} == {"bearer token-of-now"}


async def test_lists_and_watches_ask_for_no_more_than_they_need() -> None:
    kubernetes = FakeKubernetes()
    async with followed(kubernetes) as made:
        await made.watching()
    asked = {path: query for path, query, _ in kubernetes.requests if query.get("watch")}
    slices = asked[path_of(Resource.SLICES, "team")]
    assert slices["labelSelector"] == "lingma.dev/account"
    assert slices["allowWatchBookmarks"] == "true"
    assert slices["timeoutSeconds"] == "300"
    assert "labelSelector" not in asked[path_of(Resource.ACCOUNTS, "team")]


async def test_all_namespaces_are_one_watch_and_several_are_several() -> None:
    kubernetes = FakeKubernetes()
    await kubernetes.put(Resource.ACCOUNTS, account_object("alice"))
    await kubernetes.put(Resource.ACCOUNTS, account_object("bob", namespace="other"))
    await kubernetes.put(Resource.ACCOUNTS, account_object("carol", namespace="third"))
    async with followed(kubernetes, ("*",)) as made:
        await made.knows("alice", "bob", "carol")
        assert kubernetes.requests[0][0] == "/apis/lingma.dev/v1alpha1/lingmaaccounts"
    async with followed(kubernetes, ("team", "third")) as made:
        await made.knows("alice", "carol")


async def test_a_list_of_several_pages_is_one_list() -> None:
    kubernetes = FakeKubernetes()
    kubernetes.page = 2
    names = [f"account-{number}" for number in range(5)]
    for name in names:
        await kubernetes.put(Resource.ACCOUNTS, account_object(name))
    async with followed(kubernetes) as made:
        await made.knows(*names)


async def test_a_watch_that_ends_goes_on_where_it_was() -> None:
    kubernetes = FakeKubernetes()
    async with followed(kubernetes) as made:
        await made.watching()
        await kubernetes.put(Resource.ACCOUNTS, account_object("alice"))
        await made.knows("alice")
        await kubernetes.end_watches()
        await made.watching(4)
        await kubernetes.put(Resource.ACCOUNTS, account_object("bob"))
        await made.knows("alice", "bob")
    lists = [path for path, query, _ in kubernetes.requests if not query.get("watch")]
    assert len(lists) == len(Resource)


async def test_a_bookmark_moves_the_version_and_nothing_else() -> None:
    kubernetes = FakeKubernetes()
    async with followed(kubernetes) as made:
        await made.watching()
        await kubernetes.bookmark(Resource.ACCOUNTS)
        mark = str(kubernetes.version)
        await until(lambda: bool(kubernetes.log))
        await kubernetes.put(Resource.SLICES, slice_object("alice", "10.0.0.1"))
        await asyncio.sleep(0.01)
        await kubernetes.end_watches()
        await made.watching(4)
        again = [query for path, query, _ in kubernetes.requests if path.endswith("lingmaaccounts")][-1]
        assert again["resourceVersion"] == mark
        assert made.names() == set()


@pytest.mark.parametrize("in_stream", [True, False], ids=["as an event", "as a status"])
async def test_410_lists_anew_and_drops_the_ghosts(in_stream: bool) -> None:
    kubernetes = FakeKubernetes()
    kubernetes.gone_in_stream = in_stream
    await kubernetes.put(Resource.ACCOUNTS, account_object("alice"))
    async with followed(kubernetes) as made:
        await made.knows("alice")
        await made.watching()
        kubernetes.objects[Resource.ACCOUNTS].clear()  # deleted while nobody could be told
        kubernetes.version += 10
        kubernetes.compacted = kubernetes.version
        await kubernetes.end_watches()
        await made.knows()
        await kubernetes.put(Resource.ACCOUNTS, account_object("bob"))
        await made.knows("bob")


async def test_a_lost_api_server_leaves_the_last_known_state_in_force(logged: Lines) -> None:
    kubernetes = FakeKubernetes()
    await kubernetes.put(Resource.ACCOUNTS, account_object("alice"))
    await kubernetes.put(Resource.SLICES, slice_object("alice", "10.0.0.1"))
    async with followed(kubernetes) as made:
        await until(lambda: bool(made.directory.snapshot.ready))
        kubernetes.refusal = 500
        await kubernetes.end_watches()
        await until(lambda: len(logged("watch-failed")) == 2)
        asked = len(kubernetes.requests)
        await until(lambda: len(kubernetes.requests) > asked + 6)
        assert list(made.directory.snapshot.ready) == ["uid-alice"]
        assert made.watchers.synced
        assert len(logged("watch-failed")) == 2  # each problem once, however often it is tried
        kubernetes.refusal = None
        await kubernetes.put(Resource.ACCOUNTS, account_object("bob"))
        await made.knows("alice", "bob")
    assert logged("watch-recovered")


async def test_a_refused_list_is_tried_until_it_is_allowed() -> None:
    kubernetes = FakeKubernetes()
    kubernetes.refusal = 403
    async with followed(kubernetes) as made:
        await until(lambda: len(kubernetes.requests) > 4)
        assert not made.watchers.synced
        kubernetes.refusal = None
        await asyncio.wait_for(made.watchers.wait_synced(), 5)


async def test_a_watch_that_falls_silent_is_replaced(logged: Lines) -> None:
    kubernetes = FakeKubernetes()
    kubernetes.silent = True
    async with followed(kubernetes, silence_s=0.05) as made:
        await made.watching()
        await kubernetes.put(Resource.ACCOUNTS, account_object("alice"))
        await until(lambda: bool(logged("watch-silent")))
        kubernetes.silent = False
        await made.knows("alice")
    assert not logged("watch-failed")


def test_waits_grow_to_a_limit_and_start_over_after_success() -> None:
    backoff = Backoff(1, 30)
    waits = [backoff.failed() for _ in range(40)]
    assert all(15 <= wait <= 30 for wait in waits[6:])
    assert all(later > earlier / 2 for earlier, later in pairwise(waits[:5]))
    backoff.succeeded()
    assert backoff.failed() <= 1


async def test_an_error_event_that_is_not_410_is_an_error() -> None:
    from aiohttp import web

    async def handle(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b'\n{"type": "ERROR", "object": {"code": 500, "message": "etcd"}}\n{"cut')

    async def nobody() -> str | None:
        return None

    async with listening(handle) as port:
        entry = Access(f"http://127.0.0.1:{port}", None, nobody)
        async with Cluster(entry, watch_timeout_s=1, watch_silence_s=1) as cluster:
            with pytest.raises(ApiError, match="500: etcd"):
                async for _ in cluster.watch("/x", None, "1"):
                    raise AssertionError("no event was sent")


async def test_access_comes_from_a_kubeconfig_outside_a_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text(
        """
apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: k, user: u}}]
clusters: [{name: k, cluster: {server: "https://192.0.2.1:6443"}}]
users: [{name: u, user: {token: t0ken}}]
"""
    )
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(config))
    found = await access()
    assert found.host == "https://192.0.2.1:6443"
    assert await found.authorization() == "Bearer t0ken"
    assert found.ssl_context is not None


async def test_a_mounted_token_is_read_again_when_its_minute_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kubernetes.aio.config import incluster_config

    certificate = Path(incluster_config.__file__)  # any file that is not empty will do for the loader
    (tmp_path / "token").write_text("first")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", certifi_bundle() or str(certificate))
    found = await access()
    assert found.host == "https://[fd00::1]:443"
    assert await found.authorization() == "bearer first"


def certifi_bundle() -> str | None:
    import ssl

    return ssl.get_default_verify_paths().cafile
