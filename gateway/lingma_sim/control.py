"""The control port: faults, recorded frames and sudden events, over HTTP on loopback, for tests and for people."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from lingma_sim import faults, methods_auth, web
from lingma_sim.accountstate import REPORTED_FAULTS
from lingma_sim.faults import FaultError
from lingma_sim.rpc import text_of
from lingma_sim.web import Request, Response

if TYPE_CHECKING:
    from lingma_sim.server import Simulator

LONGEST_WAIT_SECONDS = 30.0

Arguments = Mapping[str, Any]
Action = Callable[["Simulator", Arguments], Awaitable[None]]


class _Bad(Exception):
    """A request that makes no sense. Its text is the answer."""


async def serve(simulator: "Simulator", request: Request) -> Response:
    """Answer one request."""
    host = request.headers.get("host", "").rpartition(":")[0]
    if "origin" in request.headers or host not in ("127.0.0.1", "localhost"):
        # A page in somebody's browser can reach loopback too.
        return web.as_json({"error": "not for browsers"}, HTTPStatus.FORBIDDEN)
    route = ROUTES.get((request.method, request.path))
    try:
        if route is not None:
            return await route(simulator, request)
        if request.method == "POST" and request.path.startswith("/actions/"):
            return await _act(simulator, request)
    except (_Bad, FaultError) as problem:
        return web.as_json({"error": str(problem)}, HTTPStatus.BAD_REQUEST)
    known = sorted(f"{method} {path}" for method, path in ROUTES)
    return web.as_json(
        {"error": "not found", "routes": known, "actions": sorted(ACTIONS)},
        HTTPStatus.NOT_FOUND,
    )


async def _state(simulator: "Simulator", _: Request) -> Response:
    return web.as_json(
        {
            "pid": os.getpid(),
            "socketPort": simulator.socket_port,
            "httpPort": simulator.http_port,
            "loginPort": simulator.login_port,
            "status": int(simulator.login.status),
            "whitelist": int(simulator.login.whitelist),
            "uid": simulator.login.uid,
            "connections": len(simulator.hub.connections),
            "turns": simulator.turns.count(),
            "unanswered": sum(len(connection.pending) for connection in simulator.hub.connections),
            "sessions": [session.session_id for session in simulator.sessions.all()],
            "faults": simulator.faults.describe(),
        }
    )


async def _show_faults(simulator: "Simulator", _: Request) -> Response:
    return web.as_json({"on": simulator.faults.describe(), "known": sorted(faults.KINDS)})


async def _change_faults(simulator: "Simulator", request: Request) -> Response:
    body = _body(request)
    chosen = faults.from_json(body.get("set", []))
    cleared = body.get("clear", [])
    if cleared != "all" and not (isinstance(cleared, list) and all(isinstance(name, str) for name in cleared)):
        raise _Bad('clear is a list of names, or "all"')
    before = {name: simulator.faults.peek(name) for name in REPORTED_FAULTS}
    simulator.faults.clear(None if cleared == "all" else cleared)
    simulator.faults.set(chosen)
    if before != {name: simulator.faults.peek(name) for name in REPORTED_FAULTS}:
        simulator.report_login()
    return web.as_json({"on": simulator.faults.describe()})


async def _frames(simulator: "Simulator", request: Request) -> Response:
    wanted = {name: request.query[name] for name in ("method", "direction", "requestId") if name in request.query}
    try:
        after, wait = int(request.query.get("after", "0")), float(request.query.get("wait", "0"))
    except ValueError as problem:
        raise _Bad("after and wait are numbers") from problem
    if not 0 <= wait <= LONGEST_WAIT_SECONDS:
        raise _Bad(f"wait is up to {LONGEST_WAIT_SECONDS:g} seconds")
    found = await simulator.frames.select(lambda frame: frame["number"] > after and _matches(frame, wanted), wait)
    return web.as_json({"frames": found})


def _matches(frame: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    params = frame["message"].get("params")
    has = {
        "method": frame["message"].get("method"),
        "direction": frame["direction"],
        "requestId": params.get("requestId") if isinstance(params, dict) else None,
    }
    return all(has[name] == value for name, value in wanted.items())


async def _forget_frames(simulator: "Simulator", _: Request) -> Response:
    simulator.frames.clear()
    return web.as_json({"frames": []})


async def _act(simulator: "Simulator", request: Request) -> Response:
    action = ACTIONS.get(request.path.removeprefix("/actions/"))
    if action is None:
        raise _Bad(f"there is no such action; there are {', '.join(sorted(ACTIONS))}")
    await action(simulator, _body(request))
    return web.as_json({"done": True})


def _body(request: Request) -> Mapping[str, Any]:
    if not request.body:
        return {}
    try:
        body = request.json()
    except (ValueError, RecursionError) as problem:
        raise _Bad("the body is no JSON") from problem
    if not isinstance(body, dict):
        raise _Bad("the body must be an object")
    return body


async def _disconnect(simulator: "Simulator", arguments: Arguments) -> None:
    how = text_of(arguments, "how") or "abort"
    if how not in ("abort", "close", "half"):
        raise _Bad("how is abort, close or half")
    await simulator.hub.drop(how)


async def _login(simulator: "Simulator", arguments: Arguments) -> None:
    uid = text_of(arguments, "uid")
    if not uid:
        raise _Bad("uid is needed")
    simulator.log_in(uid, text_of(arguments, "orgId"))


async def _logout(simulator: "Simulator", _: Arguments) -> None:
    simulator.login.logout()


async def _expire(simulator: "Simulator", _: Arguments) -> None:
    simulator.login.expire()


async def _rotate(simulator: "Simulator", _: Arguments) -> None:
    simulator.rotate()


async def _vanish(simulator: "Simulator", _: Arguments) -> None:
    simulator.login.vanish()


async def _report(simulator: "Simulator", _: Arguments) -> None:
    simulator.push_soon("auth/report", methods_auth.auth_state(simulator))


async def _push(simulator: "Simulator", arguments: Arguments) -> None:
    method, params = text_of(arguments, "method"), arguments.get("params", {})
    if not method or not isinstance(params, dict):
        raise _Bad("method, a text, and params, an object, are needed")
    if arguments.get("notification") is True:
        simulator.hub.notify(method, params)
    else:
        simulator.push_soon(method, params)


async def _crash(simulator: "Simulator", _: Arguments) -> None:
    asyncio.get_running_loop().call_later(0.05, simulator.crash)  # so that the answer still goes out


async def _stop(simulator: "Simulator", _: Arguments) -> None:
    asyncio.get_running_loop().call_later(0.05, simulator.ended.set)


Route = Callable[["Simulator", Request], Awaitable[Response]]

ROUTES: Mapping[tuple[str, str], Route] = {
    ("GET", "/state"): _state,
    ("GET", "/faults"): _show_faults,
    ("POST", "/faults"): _change_faults,
    ("GET", "/frames"): _frames,
    ("DELETE", "/frames"): _forget_frames,
}

ACTIONS: Mapping[str, Action] = {
    "disconnect": _disconnect,
    "login": _login,
    "logout": _logout,
    "expire": _expire,
    "rotate": _rotate,
    "vanish": _vanish,
    "report": _report,
    "push": _push,
    "crash": _crash,
    "stop": _stop,
}
