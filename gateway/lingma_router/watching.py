"""Keeps the directory as the cluster is: a list, then watches that continue where the last one ended."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import aiohttp

from lingma_contract import jsonlog
from lingma_router.cluster import ApiError, Cluster, Gone
from lingma_router.directory import Directory, Resource
from lingma_router.settings import ALL_NAMESPACES

_log = logging.getLogger(__name__)

SHORTEST_WATCH_S = 1.0
"""A watch that ends sooner, without an event, is followed by a wait."""


@dataclass(slots=True)
class Backoff:
    """Waits that double up to `longest_s`, each drawn between half of it and all of it."""

    first_s: float = 0.5
    longest_s: float = 30.0
    failures: int = 0

    def succeeded(self) -> None:
        """Start over."""
        self.failures = 0

    def failed(self) -> float:
        """Seconds to wait after one more failure."""
        wait = min(self.first_s * 2.0**self.failures, self.longest_s)
        self.failures = min(self.failures + 1, 16)
        return wait * random.uniform(0.5, 1.0)


def path_of(resource: Resource, namespace: str | None) -> str:
    """The API path of all objects of a kind, in one namespace or in all of them (None)."""
    scope = "" if namespace is None else f"/namespaces/{namespace}"
    return f"/apis/{resource.group_version}{scope}/{resource.value}"


class Watcher:
    """One kind of objects in one namespace, or in all of them."""

    def __init__(
        self, cluster: Cluster, directory: Directory, resource: Resource, namespace: str | None, backoff: Backoff
    ) -> None:
        self._cluster = cluster
        self._directory = directory
        self._resource = resource
        self._namespace = namespace
        self._backoff = backoff
        self._path = path_of(resource, namespace)
        self._version: str | None = None
        self._problem: str | None = None
        self.synced = asyncio.Event()
        """Set when the first list has come; from then on the last known state serves whatever happens."""

    async def run(self) -> None:
        """Keep the directory until cancelled. Failures are logged once each and repeated with a growing wait."""
        while True:
            try:
                if self._version is None:
                    await self._list()
                began = asyncio.get_running_loop().time()
                heard = await self._watch()
            except Gone:
                # Compacted: objects deleted meanwhile are named by nobody, so a list replaces all.
                self._version = None
                await asyncio.sleep(self._backoff.failed())
            except (ApiError, aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError) as error:
                self._report(f"{type(error).__name__}: {error}")
                await asyncio.sleep(self._backoff.failed())
            else:
                if not heard and asyncio.get_running_loop().time() - began < SHORTEST_WATCH_S:
                    # A server that ends every watch at once would otherwise be asked without a pause.
                    await asyncio.sleep(self._backoff.failed())

    async def _list(self) -> None:
        objects, version = await self._cluster.list(self._path, self._resource.label_selector)
        self._directory.replace(self._resource, self._namespace, objects)
        self._version = version
        self._recovered()
        self.synced.set()
        jsonlog.event(_log, "listed", path=self._path, objects=len(objects))

    async def _watch(self) -> bool:
        """Follow changes until the server ends the watch, or says nothing for too long; whether there was any."""
        heard = False
        watch = self._cluster.watch(self._path, self._resource.label_selector, self._version or "")
        async with aclosing(watch) as events:
            try:
                async for kind, item in events:
                    self._apply(kind, item)
                    if not heard:
                        heard = True
                        self._recovered()
            except aiohttp.SocketTimeoutError:
                # A connection may be dead without a word (a lost node, a full NAT table). If the server is dead too,
                # the next connection says so.
                jsonlog.event(_log, "watch-silent", path=self._path)
        return heard

    def _apply(self, kind: str, item: Mapping[str, Any]) -> None:
        if kind == "DELETED":
            self._directory.remove(self._resource, item)
        elif kind != "BOOKMARK":
            self._directory.put(self._resource, item)
        self._version = item["metadata"]["resourceVersion"]

    def _recovered(self) -> None:
        self._backoff.succeeded()
        if self._problem is not None:
            self._problem = None
            jsonlog.event(_log, "watch-recovered", path=self._path)

    def _report(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            jsonlog.event(_log, "watch-failed", level=logging.WARNING, path=self._path, problem=problem)


class Watchers:
    """All watches of the router."""

    def __init__(
        self,
        cluster: Cluster,
        directory: Directory,
        namespaces: tuple[str, ...],
        backoff: Callable[[], Backoff] = Backoff,
    ) -> None:
        """`namespaces` as in `Settings`; `backoff` makes the waits of one watcher."""
        scopes = (None,) if ALL_NAMESPACES in namespaces else namespaces
        self._all = [
            Watcher(cluster, directory, resource, scope, backoff()) for scope in scopes for resource in Resource
        ]

    @property
    def synced(self) -> bool:
        """Whether every list has come once."""
        return all(watcher.synced.is_set() for watcher in self._all)

    async def wait_synced(self) -> None:
        """Until `synced`."""
        for watcher in self._all:
            await watcher.synced.wait()

    async def run(self) -> None:
        """Run them until cancelled."""
        async with asyncio.TaskGroup() as group:
            for watcher in self._all:
                group.create_task(watcher.run())
