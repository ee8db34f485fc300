"""A small Kubernetes API on loopback: what the operator calls, with the semantics that it relies on.

Server-side apply (merge, removal of what a manager no longer sends, no write when nothing changes), status
subresource, UID preconditions, paged lists, watches, discovery. No controllers: tests play these.
"""

import asyncio
import copy
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from lingma_operator.objects import Kind, Obj
from lingma_operator.store import Key, key_of

KINDS = {(kind.value.api_version, kind.value.plural): kind for kind in Kind}


class FakeKubernetes:
    """Objects by kind and key; tests edit them as a person or a controller would."""

    def __init__(self) -> None:
        self.objects: dict[Kind, dict[Key, Obj]] = {kind: {} for kind in Kind}
        self.applied: dict[tuple[Kind, Key, str], Obj] = {}
        self.calls: list[tuple[str, str]] = []
        """Method and path of every request that writes."""
        self.refusals: dict[tuple[str, Kind], tuple[int, Obj]] = {}
        """Method and kind -> status and body to answer instead."""
        self.page_size = 2
        self.tokens: list[str | None] = []
        self._versions = itertools.count(1000)
        self._uids = itertools.count(1)
        self._log: list[tuple[int, Kind, str, Obj]] = []
        self._news = asyncio.Condition()
        self.url = ""

    # What tests do.

    async def put(self, obj: Obj) -> Obj:
        """Create or replace an object, as some other client would."""
        kind = next(kind for kind in Kind if kind.value.kind == obj["kind"])
        known = self.objects[kind].get(key_of(obj))
        fresh = copy.deepcopy(obj)
        fresh["metadata"].setdefault("uid", known["metadata"]["uid"] if known else f"uid-{next(self._uids)}")
        fresh["metadata"].setdefault("generation", 1)
        return await self._store(kind, fresh, "MODIFIED" if known else "ADDED")

    async def edit(self, kind: Kind, key: Key, change: Callable[[Obj], None]) -> Obj:
        """Change an object in place."""
        fresh = copy.deepcopy(self.objects[kind][key])
        change(fresh)
        if fresh.get("spec") != self.objects[kind][key].get("spec"):
            fresh["metadata"]["generation"] += 1
        return await self._store(kind, fresh, "MODIFIED")

    async def remove(self, kind: Kind, key: Key) -> None:
        gone = self.objects[kind].pop(key)
        for known in [known for known in self.applied if known[:2] == (kind, key)]:
            del self.applied[known]
        await self._tell(kind, "DELETED", {**gone, "metadata": {**gone["metadata"], "resourceVersion": self._next()}})

    def get(self, kind: Kind, key: Key) -> Obj:
        return self.objects[kind][key]

    async def until(self, check: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait until the check holds; it is made after every request and change. Fails after `seconds`."""
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(check)

    # The API.

    def _next(self) -> str:
        return str(next(self._versions))

    async def _store(self, kind: Kind, obj: Obj, change: str) -> Obj:
        obj["metadata"]["resourceVersion"] = self._next()
        self.objects[kind][key_of(obj)] = obj
        await self._tell(kind, change, obj)
        return obj

    async def _tell(self, kind: Kind, change: str, obj: Obj) -> None:
        async with self._news:
            self._log.append((int(obj["metadata"]["resourceVersion"]), kind, change, copy.deepcopy(obj)))
            self._news.notify_all()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.tokens.append(request.headers.get("Authorization"))
        async with self._news:
            self._news.notify_all()
        parts = request.path.strip("/").split("/")
        found = _route(parts)
        if found is None:
            return self._discovery(parts)
        kind, namespace, name, subresource = found
        refusal = self.refusals.get((request.method, kind))
        if request.method != "GET":
            self.calls.append((request.method, request.path))
        if refusal is not None:
            return web.json_response(refusal[1], status=refusal[0])
        if request.query.get("watch") == "true":
            return await self._watch(request, kind, namespace)
        if request.method == "POST":
            return await self._create(kind, await request.json())
        if name is None:
            return self._list(request, kind, namespace)
        key = Key(namespace or "", name)
        if request.method == "PATCH":
            return await self._apply(kind, key, subresource, request.query["fieldManager"], await request.json())
        if key not in self.objects[kind]:
            return _failure(404, "NotFound", f"{name} not found")
        if request.method == "DELETE":
            return await self._delete(kind, key, await request.json())
        return web.json_response(self.objects[kind][key])

    async def _create(self, kind: Kind, obj: Obj) -> web.Response:
        if key_of(obj) in self.objects[kind]:
            return _failure(409, "AlreadyExists", "exists")
        return web.json_response(await self.put(obj), status=201)

    async def _delete(self, kind: Kind, key: Key, options: Obj) -> web.Response:
        if options["preconditions"]["uid"] != self.objects[kind][key]["metadata"]["uid"]:
            return _failure(409, "Conflict", "uid differs")
        await self.remove(kind, key)
        return web.json_response({"kind": "Status", "status": "Success"})

    async def _apply(self, kind: Kind, key: Key, subresource: str, manager: str, wanted: Obj) -> web.Response:
        live = self.objects[kind].get(key)
        if live is None and subresource:
            return _failure(404, "NotFound", f"{key} not found")
        if live is not None and wanted["metadata"].get("uid", live["metadata"]["uid"]) != live["metadata"]["uid"]:
            return _failure(409, "Conflict", "uid differs")
        before = self.applied.get((kind, key, manager), {})
        merged = _merged(_pruned(copy.deepcopy(live or {}), before, wanted), wanted)
        self.applied[(kind, key, manager)] = copy.deepcopy(wanted)
        if merged == live:
            return web.json_response(live)
        if live is None:
            return web.json_response(await self.put(merged), status=201)
        if merged.get("spec") != live.get("spec"):
            merged["metadata"]["generation"] += 1
        return web.json_response(await self._store(kind, merged, "MODIFIED"))

    def _selected(self, request: web.Request, kind: Kind, namespace: str | None) -> list[Obj]:
        selector = dict(part.split("=") for part in request.query.get("labelSelector", "").split(",") if part)
        return [
            obj
            for key, obj in sorted(self.objects[kind].items())
            if namespace in (None, key.namespace) and selector.items() <= (obj["metadata"].get("labels") or {}).items()
        ]

    def _list(self, request: web.Request, kind: Kind, namespace: str | None) -> web.Response:
        items = self._selected(request, kind, namespace)
        start = int(request.query.get("continue", 0))
        stop = start + self.page_size if "limit" in request.query else len(items)
        version = str(max((entry[0] for entry in self._log), default=999))
        metadata = {"resourceVersion": version, **({"continue": str(stop)} if stop < len(items) else {})}
        bare = [{key: value for key, value in item.items() if key not in ("kind", "apiVersion")} for item in items]
        return web.json_response({"metadata": metadata, "items": bare[start:stop]})

    async def _watch(self, request: web.Request, kind: Kind, namespace: str | None) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        seen = int(request.query["resourceVersion"])
        while True:
            async with self._news:
                while not self._log or self._log[-1][0] <= seen:
                    await self._news.wait()
                fresh = [entry for entry in self._log if entry[0] > seen]
            for version, of, change, obj in fresh:
                seen = max(seen, version)
                if of is kind and namespace in (None, obj["metadata"]["namespace"]):
                    await response.write(json.dumps({"type": change, "object": obj}).encode() + b"\n")

    def _discovery(self, parts: list[str]) -> web.Response:
        groups = sorted({version.split("/")[0] for version, _ in KINDS if "/" in version})
        if parts == ["api"]:
            return web.json_response({"versions": ["v1"]})
        if parts == ["apis"]:
            versions = {version.split("/")[0]: version.split("/")[1] for version, _ in KINDS if "/" in version}
            listed = [{"groupVersion": f"{group}/{versions[group]}", "version": versions[group]} for group in groups]
            named = zip(groups, listed, strict=True)
            return web.json_response(
                {"groups": [{"name": name, "versions": [item], "preferredVersion": item} for name, item in named]}
            )
        version = "/".join(parts[1:])
        resources = [_resource(kind.value.plural, kind.value.kind) for (of, _), kind in KINDS.items() if of == version]
        if version == "v1":
            resources.append({**_resource("namespaces", "Namespace"), "namespaced": False})
        return web.json_response({"resources": resources})

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["FakeKubernetes"]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()


def _resource(plural: str, kind: str) -> Obj:
    verbs = ["get", "list", "watch", "create", "patch", "delete"]
    return {"name": plural, "singularName": kind.lower(), "kind": kind, "namespaced": True, "verbs": verbs}


def _route(parts: list[str]) -> tuple[Kind, str | None, str | None, str] | None:
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    version = "/".join(parts[1:2] if parts[0] == "api" else parts[1:3])
    namespace = None
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    kind = KINDS.get((version, rest[0])) if rest else None
    if kind is None:
        return None
    name = rest[1] if len(rest) > 1 else None
    return kind, namespace, name, "/".join(rest[2:])


def _failure(status: int, reason: str, message: str) -> web.Response:
    return web.json_response({"kind": "Status", "reason": reason, "message": message}, status=status)


def _pruned(live: Any, before: Any, wanted: Any) -> Any:
    """The live object without what the manager sent last time and no longer sends."""
    for key in before if isinstance(before, dict) and isinstance(live, dict) else ():
        if key not in wanted:
            live.pop(key, None)
        elif isinstance(before[key], dict) and isinstance(wanted[key], dict):
            _pruned(live.get(key), before[key], wanted[key])
    return live


def _merged(live: Any, wanted: Any) -> Any:
    if isinstance(live, dict) and isinstance(wanted, dict):
        return {**live, **{key: _merged(live.get(key), value) for key, value in wanted.items()}}
    return copy.deepcopy(wanted)
