"""The methods a client may call, one function each, in one table. A method that is not in it does not exist."""

import base64
import hashlib
import secrets
import time
import urllib.parse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lingma_sim import LINGMA_VERSION, catalog, pushes
from lingma_sim.login import Status, Whitelist
from lingma_sim.rpc import INTERNAL_ERROR, RpcError
from lingma_sim.turns import Ask

if TYPE_CHECKING:
    from lingma_sim.server import Simulator

Params = Mapping[str, Any]
Method = Callable[["Simulator", Params], Any]

ASK = "chat/ask"
"""Handled apart: as a notification it has no result, yet starts a turn."""

NOT_LOGGED_IN = 401
"""statusCode of chat/finish, and errorCode of the ack, when nobody is logged in (assumed)."""


def initialize(_: "Simulator", __: Params) -> Any:
    """What the process is."""
    return {
        "capabilities": {},
        "serverInfo": {"name": "lingma", "version": LINGMA_VERSION},
        "experimental": {"simulator": True},
    }


def ping(_: "Simulator", __: Params) -> Any:
    """The plugin's heartbeat."""
    return {"success": True}


def auth_state(simulator: "Simulator") -> dict[str, Any]:
    """The login as auth/status answers and auth/report pushes it."""
    account, status = simulator.account, simulator.status
    shown = account if status is not Status.NOT_LOGIN else None
    return {
        "messageId": secrets.token_hex(8),
        "status": int(status),
        "name": shown.name if shown else "",
        "id": shown.uid if shown else "",
        "accountId": shown.aid if shown else "",
        "token": shown.security_oauth_token if shown else "",
        "refreshToken": shown.refresh_token if shown else "",
        "expireTime": shown.expire_time if shown else 0,
        "quota": 0,
        "whitelist": int(Whitelist.PASS if status is Status.LOGIN else Whitelist.UNKNOWN),
        "orgId": shown.organization_id if shown else "",
        "orgName": "",
        "yxUid": "",
        "avatarUrl": "",
        "email": "",
        "userType": shown.user_type if shown else "",
        "cloudType": "cloud",
        "privacyPolicyAgreed": shown is not None,
    }


def auth_status(simulator: "Simulator", _: Params) -> Any:
    """Who is logged in."""
    return auth_state(simulator)


def auth_logout(simulator: "Simulator", _: Params) -> Any:
    """Log out."""
    simulator.logout()
    return {"success": True}


def generate_url(simulator: "Simulator", _: Params) -> Any:
    """A login page's address. The simulator serves no such page (first form)."""
    verifier, nonce = secrets.token_urlsafe(32), secrets.token_hex(16)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    query = urllib.parse.urlencode(
        {
            "nonce": nonce,
            "port": simulator.http_port,
            "state": secrets.token_hex(8),
            "challenge": challenge,
            "challenge_method": "S256",
            # A digest: the machine id itself decrypts cache/user.
            "machine_id": hashlib.sha256(simulator.machine_id).hexdigest()[:32],
        }
    )
    return {
        "loginUrl": f"{simulator.endpoint or 'https://devops.aliyun.com'}/lingma/login?{query}",
        "nonce": nonce,
        "verifier": verifier,
        "challenge": challenge,
        "challengeMethod": "S256",
        "success": True,
        "errorCode": "",
        "errorMsg": "",
    }


def query_models(simulator: "Simulator", _: Params) -> Any:
    """The models of the account."""
    return catalog.lists(logged_in=simulator.status is Status.LOGIN)


def get_endpoint(simulator: "Simulator", _: Params) -> Any:
    """The dedicated endpoint; empty is the public one."""
    return {"endpoint": simulator.endpoint}


def update_endpoint(simulator: "Simulator", params: Params) -> Any:
    """Change it; every connection is told."""
    simulator.endpoint = _text(params, "endpoint")
    simulator.push_soon("config/changeEndpoint", {"endpoint": simulator.endpoint})
    return {"success": True}


def ask(simulator: "Simulator", params: Params) -> Any:
    """Begin a turn; the result is the immediate ack."""
    question = Ask.parse(params)
    refusal = _refusal(simulator, question)
    if refusal is not None:
        return pushes.ask_result(question.request_id, error_code=str(refusal[0]), error_message=refusal[1])
    simulator.begin(question)
    return pushes.ask_result(question.request_id)


def ask_without_reply(simulator: "Simulator", params: Params) -> None:
    """Begin a turn asked for by a notification: a refusal can only be told by chat/finish."""
    question = Ask.parse(params)
    refusal = _refusal(simulator, question)
    if refusal is None:
        simulator.begin(question)
    else:
        simulator.turns.refuse(question, *refusal)


def _refusal(simulator: "Simulator", question: Ask) -> tuple[int, str] | None:
    if not question.request_id:
        return 400, "requestId is empty"
    if simulator.status is not Status.LOGIN:
        return NOT_LOGGED_IN, "not login"
    if simulator.turns.is_running(question.request_id):
        return 400, "requestId is in use"
    return None


def stop(simulator: "Simulator", params: Params) -> Any:
    """Cancel a turn; it ends with chat/finish `cancelled` after this ack."""
    simulator.turns.stop(request_id=_text(params, "requestId"))
    return {"success": True}


def stop_session(simulator: "Simulator", params: Params) -> Any:
    """Cancel the turns of a session."""
    simulator.turns.stop(session_id=_text(params, "sessionId"))
    return {"success": True}


def list_sessions(simulator: "Simulator", _: Params) -> Any:
    """All sessions with their turns."""
    return [session.describe(simulator.uid) for session in simulator.sessions.all()]


def get_session(simulator: "Simulator", params: Params) -> Any:
    """One session with its turns."""
    session = simulator.sessions.get(_text(params, "sessionId"))
    if session is None:
        raise RpcError(INTERNAL_ERROR, "session not found")
    return session.describe(simulator.uid)


def delete_session(simulator: "Simulator", params: Params) -> Any:
    """Forget a session."""
    return {"success": simulator.sessions.delete(_text(params, "sessionId"))}


def clear_sessions(simulator: "Simulator", _: Params) -> Any:
    """Forget all sessions."""
    simulator.sessions.clear()
    return {"success": True}


def current_sessions(simulator: "Simulator", _: Params) -> Any:
    """The sessions with a turn in progress."""
    return {"currentSessionIds": simulator.turns.session_ids()}


def approve_tool(_: "Simulator", __: Params) -> Any:
    """Approve a tool call. No simulated tool waits for it."""
    return {"success": True}


def _failing(message: str) -> Method:
    def method(_: "Simulator", __: Params) -> Any:
        raise RpcError(INTERNAL_ERROR, message)

    return method


def _text(params: Params, name: str) -> str:
    value = params.get(name)
    return value if isinstance(value, str) else ""


METHODS: dict[str, Method] = {
    "initialize": initialize,
    "ping": ping,
    "auth/status": auth_status,
    "auth/logout": auth_logout,
    "login/generateUrl": generate_url,
    "config/queryModels": query_models,
    "config/getEndpoint": get_endpoint,
    "config/updateEndpoint": update_endpoint,
    ASK: ask,
    "chat/stop": stop,
    "chat/stopSession": stop_session,
    "chat/listAllSessions": list_sessions,
    "chat/getSessionById": get_session,
    "chat/deleteSessionById": delete_session,
    "chat/clearAllSessions": clear_sessions,
    "session/getCurrent": current_sessions,
    "tool/call/approve": approve_tool,
    "user/plan": _failing("failed to get user plan info: HTTP status 404"),
    "credit/usage": _failing("get user credit info error: HTTP status 400"),
    "model/queryClasses": _failing("no model config for scene: "),
    # They exist, so `unknown method` would be wrong; issue 4 simulates them.
    "login/auth_callback": _failing("not simulated: login/auth_callback"),
    "auth/login": _failing("not simulated: auth/login"),
    "auth/device_login": _failing("not simulated: auth/device_login"),
    "auth/refreshToken": _failing("not simulated: auth/refreshToken"),
    "auth/grantInfosWrap": _failing("not simulated: auth/grantInfosWrap"),
    "config/getGlobal": _failing("not simulated: config/getGlobal"),
    "config/updateGlobal": _failing("not simulated: config/updateGlobal"),
    "chat/replyRequest": _failing("not simulated: chat/replyRequest"),
    "chat/deleteChatById": _failing("not simulated: chat/deleteChatById"),
    "image/upload": _failing("not simulated: image/upload"),
    "tool/invokeResult": _failing("not simulated: tool/invokeResult"),
    "tool/call/results": _failing("not simulated: tool/call/results"),
}


def now_ms() -> int:
    """The time as Lingma writes it."""
    return int(time.time() * 1000)
