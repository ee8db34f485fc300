"""The admin routes, under the paths of the earlier gateway: docs/admin.md. Only a session export holds tokens."""

import asyncio
import base64
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from lingma_contract import bundle as bundles
from lingma_contract.jsonlog import event
from lingma_contract.masking import Masker
from lingma_gateway.api.access import ADMIN_PREFIX
from lingma_gateway.errors import (
    Conflict,
    InvalidRequest,
    NoReadyAccount,
    NotFound,
    SessionNotPacked,
    Unauthenticated,
    UpstreamError,
    UpstreamRefused,
)
from lingma_gateway.events import Usage
from lingma_gateway.lingma import login, models
from lingma_gateway.lingma.instance import Instance
from lingma_gateway.login.authenticator import Caller, Progress
from lingma_gateway.services import Services
from lingma_gateway.sessions import captured, packing
from lingma_gateway.sessions.packing import PackError
from lingma_gateway.smoke.runner import Target

log = logging.getLogger(__name__)

SMOKE_KEY_ID = "smoke"
"""Under which the self-check's turns are counted."""
_STATUS_TIMEOUT_S = 5.0
_LOOK_TIMEOUT_S = 5.0
_MAX_SHOWN_CHARS = 128
_SHOWN_OF_AUTH = (
    *("status", "whitelist", "id", "name", "orgId", "orgName", "userType", "cloudType"),
    *("expireTime", "quota", "privacyPolicyAgreed"),
)
"""All that is shown of `auth/status`; whatever else a version of Lingma puts there stays out, tokens first."""
_NOT_KEPT = {"cache-control": "no-store"}


def router(services: Services) -> APIRouter:
    """The routes, bound to `services`."""

    async def allowed(request: Request) -> None:
        if not services.identity.admin(request.headers):
            raise Unauthenticated("the admin token is missing or wrong: send `Authorization: Bearer TOKEN`")

    routes = APIRouter(prefix=ADMIN_PREFIX.rstrip("/"), dependencies=[Depends(allowed)])
    started_at = datetime.now(UTC)

    @routes.get("/stats")
    async def stats() -> JSONResponse:
        return _json(_stats(services, started_at))

    @routes.post("/auto-login/start")
    async def start_login(request: Request) -> JSONResponse:
        return _json(await _start_login(_instance(services, request)))

    @routes.get("/auto-login/status")
    async def login_status(request: Request) -> JSONResponse:
        named = "instance" in request.query_params
        instances = [_instance(services, request)] if named else services.pool.instances
        shown = await asyncio.gather(*(_login_status(instance) for instance in instances))
        return _json({"ok": all(one["logged_in"] for one in shown), "instances": shown})

    @routes.post("/session/export")
    async def export(request: Request) -> JSONResponse:
        return _json(await _export(_instance(services, request)))

    @routes.get("/session/captured")
    async def captured_session(request: Request) -> JSONResponse:
        return _json(await _captured(_instance(services, request)))

    @routes.get("/models/raw")
    async def models_raw(request: Request) -> JSONResponse:
        return _json(await _models_raw(_instance(services, request)))

    @routes.post("/smoke")
    async def smoke(request: Request) -> JSONResponse:
        instance = _instance(services, request)
        report = await services.smoke.run(_target(services, instance, request.query_params))
        return _json({"instance": instance.name, **report})

    return routes


def _json(body: dict[str, Any]) -> JSONResponse:
    return JSONResponse(body, headers=_NOT_KEPT)


def _instance(services: Services, request: Request) -> Instance:
    """The instance that `?instance=` names; without it, the only one there is."""
    instances = services.pool.instances
    name = request.query_params.get("instance")
    if name is not None:
        for instance in instances:
            if instance.name == name:
                return instance
        raise NotFound(f"there is no instance {name[:_MAX_SHOWN_CHARS]!r}", param="instance")
    if not instances:
        raise NoReadyAccount("no Lingma account is configured")
    if len(instances) > 1:
        names = ", ".join(instance.name for instance in instances[:10])
        raise InvalidRequest(f"which instance? add ?instance=NAME, of {names}", param="instance")
    return instances[0]


def _stats(services: Services, started_at: datetime) -> dict[str, Any]:
    pool = services.pool
    health = pool.health(services.drain.draining).as_json()
    return {
        "ok": health["ok"],
        "stats": {
            "started_at": started_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "uptime_seconds": int((datetime.now(UTC) - started_at).total_seconds()),
            "draining": services.drain.draining,
        },
        "concurrency": {
            "in_flight": pool.in_flight,
            "queued": pool.queued,
            "accepted_total": pool.accepted,
            "rejected_total": pool.rejected,
            "max_in_flight": sum(instance.settings.max_in_flight for instance in pool.instances),
        },
        "pool": {name: health[name] for name in ("pool_size", "pool_ready", "instances")},
        # There is no session cache yet: each turn carries its whole history.
        "session_cache": None if services.sessions is None else services.sessions.as_json(),
        "usage": services.usage.as_json(),
    }


async def _start_login(instance: Instance) -> dict[str, Any]:
    """Begin a login where one may begin now. What asks for a person is not tried sooner for being asked here."""
    connection = instance.connected()
    status = await asked(connection, "auth/status")
    if _is_logged_in(status):
        return {"ok": True, "state": "already_logged_in", "instance": instance.name, "auth": _auth(status)}
    running = instance.login_progress.running is not None
    if not running:
        await instance.look_again(_LOOK_TIMEOUT_S)
    if instance.health.logged_in:
        status = await asked(connection, "auth/status")
        return {"ok": True, "state": "already_logged_in", "instance": instance.name, "auth": _auth(status)}
    progress = instance.login_progress
    if running:
        state = "already_running"
    elif progress.running is not None:
        state = "running"
    else:
        state = "waiting" if progress.next_try_s is not None else "nothing_to_try"
    body = {"ok": progress.running is not None, "state": state, "instance": instance.name}
    return body | {"auto_login": _auto_login(instance, progress)}


async def _login_status(instance: Instance) -> dict[str, Any]:
    health = instance.health
    shown: dict[str, Any] = {
        "instance": instance.name,
        "state": health.state.value,
        "logged_in": health.logged_in,
        "auto_login": _auto_login(instance, instance.login_progress),
        "auth": None,
    }
    try:
        status = await asked(instance.connected(), "auth/status")
    except UpstreamError as error:
        return shown | {"error": error.message}
    return shown | {"auth": _auth(status), "logged_in": _is_logged_in(status)}


async def asked(connection: Caller, method: str) -> Any:
    """What Lingma answers. Its own words for a refusal may quote what it was sent, so they are not passed on."""
    try:
        return await connection.request(method, {}, _STATUS_TIMEOUT_S)
    except UpstreamRefused as error:
        raise UpstreamRefused(f"Lingma refused {method}: see its log") from error


def _is_logged_in(status: object) -> bool:
    return isinstance(status, dict) and login.interpret(status).logged_in


def _auth(status: object) -> dict[str, Any]:
    """What may be shown of `auth/status`: the allowed fields, and of these only numbers and short texts."""
    if not isinstance(status, dict):
        return {}
    shown = {name: status[name] for name in _SHOWN_OF_AUTH if name in status}
    return {
        name: value
        for name, value in shown.items()
        if isinstance(value, int | float) or (isinstance(value, str) and len(value) <= _MAX_SHOWN_CHARS)
    }


def _auto_login(instance: Instance, progress: Progress) -> dict[str, Any]:
    health = instance.health
    return {
        "reason": health.reason.value,
        "message": health.message,
        "running": progress.running.value if progress.running is not None else None,
        "next_try_seconds": None if progress.next_try_s is None else round(progress.next_try_s, 1),
        "session_expires_at": None if progress.expires_ms is None else progress.expires_ms // 1000,
        "attempts": [
            {"way": way.value, "result": attempt.result.value, "message": attempt.message, "in_a_row": attempt.in_a_row}
            for way, attempt in progress.last
        ],
    }


async def _export(instance: Instance) -> dict[str, Any]:
    if instance.port is None:
        raise NoReadyAccount(f"account {instance.name} is not connected to Lingma", retry_after_s=5)
    if not instance.health.logged_in:
        raise Conflict(f"account {instance.name} is not logged in: {instance.health.message}")
    try:
        bundle = await asyncio.to_thread(packing.read_login, instance.settings.work_dir, time.time())
        packed = await asyncio.to_thread(bundles.pack, bundle)
    except PackError as error:
        raise SessionNotPacked(str(error)) from error
    except OSError as error:
        raise SessionNotPacked(f"a file of the login cannot be read: {error.strerror}") from error
    inspection = packing.inspect(bundle)
    event(log, "session_exported", instance=instance.name, fingerprint=inspection.fingerprint)
    return {
        "instance": instance.name,
        "account": inspection.holder.uid if inspection.holder is not None else None,
        "raw_bytes": len(packed),
        "bundle_b64": base64.b64encode(packed).decode(),
    }


async def _captured(instance: Instance) -> dict[str, Any]:
    """The login that was captured last, which may be newer than what a pod's Secret holds."""
    found = await asyncio.to_thread(captured.kept, instance.settings.work_dir)
    if found is None:
        raise NotFound(f"no session of account {instance.name} has been captured: its login is as it was given")
    return {
        "instance": instance.name,
        "digest": found.bundle.digest,
        "derived_from": found.derived_from,
        "bundle_b64": bundles.encode(found.bundle),
    }


async def _models_raw(instance: Instance) -> dict[str, Any]:
    raw = await asked(instance.connection(), "config/queryModels")
    known = models.parse(raw)
    return {
        "instance": instance.name,
        # A user's own models carry their keys; everything else stays as it came.
        "raw": Masker(keep_prompts=True).message({"raw": raw})["raw"],
        "extracted_name_map": {model.key: model.display_name for model in known},
        "exposed_keys": [model.key for model in known],
    }


def _target(services: Services, instance: Instance, given: Mapping[str, str]) -> Target:
    with_tools = given.get("tools", "false")
    if with_tools not in ("true", "false"):
        raise InvalidRequest("tools must be true or false", param="tools")
    if instance.port is None:
        raise NoReadyAccount(f"account {instance.name} is not connected to Lingma", retry_after_s=5)

    @asynccontextmanager
    async def slots(count: int) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for _ in range(min(count, instance.settings.max_in_flight)):
                await stack.enter_async_context(services.pool.slot(only=instance))
            yield

    def used(usage: Usage, failed: bool) -> None:
        services.usage.add(instance.name, SMOKE_KEY_ID, usage, failed=failed)

    return Target(
        port=instance.port,
        workspace=instance.workspace,
        work_dir=instance.settings.work_dir,
        model=given.get("model") or services.settings.default_model,
        locale=services.settings.locale,
        with_tools=with_tools == "true",
        slots=slots,
        used=used,
    )
