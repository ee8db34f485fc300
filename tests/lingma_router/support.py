"""Real servers on loopback that the router is tested against: a Kubernetes API and gateways, both scripted."""

import asyncio
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import hypothesis
from aiohttp import web

from lingma_contract import derivation
from lingma_contract.names import Credential
from lingma_router.app import Router, serving
from lingma_router.cluster import Access
from lingma_router.directory import Resource
from lingma_router.settings import Settings
from lingma_router.watching import Backoff

MASTER = b"0123456789abcdef0123456789abcdef"
KEY = "sk-lingma-test"
STEADY = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
"""Properties hold on a machine that is busy with something else, too."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def account_object(
    name: str, *, uid: str | None = None, namespace: str = "team", suspend: bool = False
) -> dict[str, Any]:
    uid = f"uid-{name}" if uid is None else uid
    return {"metadata": {"name": name, "namespace": namespace, "uid": uid}, "spec": {"suspend": suspend}}


def slice_object(
    account: str,
    *addresses: str,
    namespace: str = "team",
    service: str | None = None,
    suffix: str = "x",
    conditions: Any = (),
) -> dict[str, Any]:
    """An EndpointSlice of an account's Service; its endpoints serve unless `conditions` says otherwise."""
    serving = {"ready": True, "serving": True, "terminating": False}
    return {
        "metadata": {
            "name": f"{account}-gateway-{suffix}",
            "namespace": namespace,
            "labels": {"lingma.dev/account": account, "kubernetes.io/service-name": service or f"{account}-gateway"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": list(addresses), "conditions": serving if conditions == () else conditions}],
    }


def mount(folder: Path, files: dict[str, bytes]) -> None:
    """Write a Secret as the kubelet does: a new folder of files, then one link renamed over the other."""
    folder.mkdir(exist_ok=True)
    version = folder / f"..{time.monotonic_ns()}"
    version.mkdir()
    for name, content in files.items():
        (version / name).write_bytes(content)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    (folder / "..data_tmp").symlink_to(version.name)
    os.rename(folder / "..data_tmp", folder / "..data")


async def until(condition: Callable[[], bool]) -> None:
    """Let other tasks run until `condition` holds; at most five seconds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 -- waits for any state at all, of parts that have no event for it
            await asyncio.sleep(0.001)


@asynccontextmanager
async def connected(port: int, request: str) -> AsyncIterator[asyncio.StreamReader]:
    """A bare connection on which `request` was sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request.encode())
        yield reader
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@asynccontextmanager
async def listening(handler: Handler, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[int]:
    """An HTTP server for `handler`, cancelled when a client goes away; yields its port."""
    application = web.Application(client_max_size=2**30)
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(
        application, handler_cancellation=True, access_log=None, shutdown_timeout=0.1, auto_decompress=False
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


class FakeKubernetes:
    """Lists and watches as the API server serves them, over objects that a test puts and removes."""

    def __init__(self) -> None:
        self.version = 1
        self.objects: dict[str, dict[tuple[str, str], dict[str, Any]]] = {resource: {} for resource in Resource}
        self.log: list[tuple[int, str, str, dict[str, Any]]] = []
        self.compacted = 0
        """Watches from a version before this one are too old."""
        self.gone_in_stream = False
        """Say 410 as an event of a watch and not as a status."""
        self.refusal: int | None = None
        """A status that answers everything."""
        self.page = 500
        self.silent = False
        """Watches say nothing at all."""
        self.requests: list[tuple[str, dict[str, str], str | None]] = []
        self.changed = asyncio.Condition()
        self.epoch = 0

    @property
    def watches(self) -> list[dict[str, str]]:
        return [query for _, query, _ in self.requests if query.get("watch")]

    async def put(self, resource: Resource, item: dict[str, Any]) -> None:
        key = (item["metadata"]["namespace"], item["metadata"]["name"])
        await self._change(resource, "MODIFIED" if key in self.objects[resource] else "ADDED", item)
        self.objects[resource][key] = item

    async def remove(self, resource: Resource, item: dict[str, Any]) -> None:
        del self.objects[resource][item["metadata"]["namespace"], item["metadata"]["name"]]
        await self._change(resource, "DELETED", item)

    async def bookmark(self, resource: Resource) -> None:
        await self._change(resource, "BOOKMARK", {"metadata": {}})

    async def _change(self, resource: Resource, kind: str, item: dict[str, Any]) -> None:
        async with self.changed:
            self.version += 1
            item["metadata"]["resourceVersion"] = str(self.version)
            self.log.append((self.version, resource, kind, json.loads(json.dumps(item))))
            self.changed.notify_all()

    async def end_watches(self) -> None:
        async with self.changed:
            self.epoch += 1
            self.changed.notify_all()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        self.requests.append((request.path, query, request.headers.get("authorization")))
        if self.refusal is not None:
            return web.json_response({"kind": "Status", "code": self.refusal}, status=self.refusal)
        parts = request.path.split("/")
        namespace = parts[parts.index("namespaces") + 1] if "namespaces" in parts else None
        if query.get("watch"):
            return await self._watch(request, parts[-1], namespace)
        items = [item for (where, _), item in sorted(self.objects[parts[-1]].items()) if namespace in (None, where)]
        start = int(query.get("continue", "0"))
        metadata = {"resourceVersion": str(self.version)}
        if start + self.page < len(items):
            metadata["continue"] = str(start + self.page)
        return web.json_response({"metadata": metadata, "items": items[start : start + self.page]})

    async def _watch(self, request: web.Request, plural: str, namespace: str | None) -> web.StreamResponse:
        seen = int(request.query["resourceVersion"])
        gone = {"kind": "Status", "code": 410, "message": "too old resource version"}
        if seen < self.compacted and not self.gone_in_stream:
            return web.json_response(gone, status=410)
        response = web.StreamResponse(headers={"content-type": "application/json"})
        await response.prepare(request)
        if seen < self.compacted:
            await response.write(json.dumps({"type": "ERROR", "object": gone}).encode() + b"\n")
            return response
        epoch = self.epoch
        while epoch == self.epoch:
            for version, resource, kind, item in [] if self.silent else list(self.log):
                if version > seen and resource == plural:
                    seen = version
                    if kind == "BOOKMARK" or namespace in (None, item["metadata"]["namespace"]):
                        line = json.dumps({"type": kind, "object": item}).encode() + b"\n"
                        await response.write(line[:7])
                        await response.write(line[7:])
            async with self.changed:
                if epoch == self.epoch and (self.silent or not self._news(plural, seen)):
                    await self.changed.wait()
        return response

    def _news(self, plural: str, seen: int) -> bool:
        return any(version > seen for version, resource, _, _ in self.log if resource == plural)


@dataclass
class FakeGateway:
    """The gateway of one account. It answers as `respond` does, to callers that know the account's router token."""

    name: str
    host: str
    respond: Handler
    received: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    masters: tuple[bytes, ...] = (MASTER,)
    running: int = 0
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        tokens = [derivation.derive(master, Credential.ROUTER_TOKEN, f"uid-{self.name}") for master in self.masters]
        if request.headers.get("authorization") not in [f"Bearer {token}" for token in tokens]:
            return web.json_response({"error": {"message": "no router token"}}, status=401)
        self.bodies.append(await request.read())
        self.received.append(request)
        self.running += 1
        try:
            return await self.respond(request)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        finally:
            self.running -= 1


async def echo(request: web.Request) -> web.StreamResponse:
    return web.Response(body=await request.read(), headers={"x-lingma-model": "m", "server": "gw"})


@dataclass
class World:
    """A router, its cluster and its gateways."""

    kubernetes: FakeKubernetes
    gateways: dict[str, FakeGateway]
    router: Router
    client: aiohttp.ClientSession
    """Sends the API key."""
    folder: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.router.client_port}"

    @property
    def admin(self) -> str:
        return f"http://127.0.0.1:{self.router.admin_port}"

    def post(self, body: Any = None, path: str = "/v1/chat/completions", **headers: str) -> Any:
        named = {name.replace("__", "-"): value for name, value in headers.items()}
        return self.client.post(self.url + path, json=body if body is not None else {}, headers=named)

    async def ready(self, *names: str) -> None:
        """Until exactly these accounts are ready."""
        await until(lambda: {account.name for account in self.router.directory.snapshot.ready.values()} == set(names))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def world(folder: Path, *names: str, **changes: Any) -> AsyncIterator[World]:
    """A router that is synced, with a gateway for each of `names`, all of them ready."""
    port = free_port()
    kubernetes = FakeKubernetes()
    mount(folder / "keys", {"team": KEY.encode(), "other": b"sk-other"})
    mount(folder / "master", {"current": MASTER})
    settings = Settings(
        **{
            "namespaces": ("team",),
            "api_keys_dir": folder / "keys",
            "master_dir": folder / "master",
            "host": "127.0.0.1",
            "client_port": 0,
            "admin_port": 0,
            "upstream_port": port,
            "propagation_s": 0.0,
            "keys_poll_s": 0.01,
            **changes,
        }
    )
    gateways = {name: FakeGateway(name, f"127.0.0.{number}", echo) for number, name in enumerate(names, start=11)}
    for gateway in gateways.values():
        await kubernetes.put(Resource.ACCOUNTS, account_object(gateway.name))
        await kubernetes.put(Resource.SLICES, slice_object(gateway.name, gateway.host))
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(listening(kubernetes.handle))
        for gateway in gateways.values():
            await stack.enter_async_context(listening(gateway.handle, gateway.host, port))
        access = Access(f"http://127.0.0.1:{api}", None, _authorization)
        router = await stack.enter_async_context(serving(settings, access, lambda: Backoff(0.001, 0.01)))
        client = await stack.enter_async_context(aiohttp.ClientSession(headers={"authorization": f"Bearer {KEY}"}))
        made = World(kubernetes, gateways, router, client, folder)
        async with asyncio.timeout(5):
            await router.watchers.wait_synced()
        await made.ready(*names)
        yield made
        await kubernetes.end_watches()


async def _authorization() -> str | None:
    return "bearer cluster-token"
