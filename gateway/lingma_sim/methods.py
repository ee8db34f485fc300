"""The methods a client may call, in one table. A method that is not in it does not exist."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from lingma_sim import LINGMA_VERSION, catalog, methods_auth, methods_chat
from lingma_sim.rpc import INTERNAL_ERROR, RpcError, text_of

if TYPE_CHECKING:
    from lingma_sim.server import Simulator

Params = Mapping[str, Any]
Method = Callable[["Simulator", Params], Any]

ASK = "chat/ask"
"""Handled apart: as a notification it has no result, yet starts a turn."""

GLOBAL_CONFIG: Mapping[str, Any] = {
    "proxyMode": "system",
    "httpProxy": "",
    "commandDenyList": "",
    "mcpAutoRun": False,
    "terminalRunMode": "ask",
    "webToolsExecutionMode": "ask",
    "askModeUseTools": True,
    "browserRunMode": "ask",
}
"""The documented settings; their values are assumed."""


def initialize(simulator: "Simulator", params: Params) -> Any:
    """What the process is. The process of `processId` is watched: when it ends, so does this one."""
    pid = params.get("processId")
    if isinstance(pid, int) and not isinstance(pid, bool) and pid > 0:
        simulator.watch(pid)
    return {
        "capabilities": {},
        "serverInfo": {"name": "lingma", "version": simulator.options.report.version or LINGMA_VERSION},
        "experimental": {"simulator": True},
    }


def ping(_: "Simulator", __: Params) -> Any:
    """The plugin's heartbeat."""
    return {"success": True}


def query_models(simulator: "Simulator", _: Params) -> Any:
    """The models of the account."""
    if not simulator.login.usable or simulator.faults.take("no-models") is not None:
        return catalog.lists(logged_in=False)
    capture, report = simulator.options.capture, simulator.options.report
    return report.models or (capture and capture.models) or catalog.lists(logged_in=True)


def get_endpoint(simulator: "Simulator", _: Params) -> Any:
    """The dedicated endpoint; empty is the public one."""
    return {"endpoint": simulator.endpoint}


def update_endpoint(simulator: "Simulator", params: Params) -> Any:
    """Change it; every connection is told."""
    simulator.endpoint = text_of(params, "endpoint")
    simulator.push_soon("config/changeEndpoint", {"endpoint": simulator.endpoint})
    return {"success": True}


def get_global(simulator: "Simulator", _: Params) -> Any:
    """The process's settings."""
    return dict(simulator.global_config)


def update_global(simulator: "Simulator", params: Params) -> Any:
    """Change those that are known; every connection is told."""
    simulator.global_config.update({name: params[name] for name in simulator.global_config if name in params})
    simulator.push_soon("config/changeGlobal", simulator.global_config)
    return {"success": True}


def upload_image(simulator: "Simulator", params: Params) -> Any:
    """Take an image, which must be a file of the work directory; its address comes by a push."""
    request_id, uri = text_of(params, "requestId"), text_of(params, "imageUri")
    fault = simulator.faults.take("image-upload")
    content = simulator.work_dir.image(uri) if uri else None
    if fault == "refused" or not content:
        return _image(request_id, "400", "image upload failed", {"success": False})
    if fault != "silent":
        told = {"requestId": request_id, "imageUrl": "" if fault else _address(content, uri)}
        code, message = ("500", "image upload failed") if fault else ("", "")
        simulator.push_soon(
            "image/uploadResultNotification", {"errorCode": code, "errorMessage": message, "result": told}
        )
    return _image(request_id, "", "", {"success": True})


def _address(content: bytes, uri: str) -> str:
    """An address that tells what was in the file."""
    return f"https://images.example/{hashlib.sha256(content).hexdigest()[:16]}{PurePosixPath(uri).suffix}"


def _image(request_id: str, code: str, message: str, result: Mapping[str, Any]) -> dict[str, Any]:
    return {"requestId": request_id, "errorCode": code, "errorMessage": message, "result": dict(result)}


def _failing(message: str) -> Method:
    def method(_: "Simulator", __: Params) -> Any:
        raise RpcError(INTERNAL_ERROR, message)

    return method


METHODS: dict[str, Method] = {
    "initialize": initialize,
    "ping": ping,
    "auth/status": methods_auth.status,
    "auth/login": methods_auth.login,
    "auth/logout": methods_auth.logout,
    "auth/device_login": methods_auth.device_login,
    "auth/refreshToken": methods_auth.refresh_token,
    "auth/grantInfosWrap": methods_auth.grant_infos,
    "login/generateUrl": methods_auth.generate_url,
    "login/auth_callback": methods_auth.auth_callback,
    "config/queryModels": query_models,
    "config/getEndpoint": get_endpoint,
    "config/updateEndpoint": update_endpoint,
    "config/getGlobal": get_global,
    "config/updateGlobal": update_global,
    "config/updateGlobalMcpAutoRun": update_global,
    "image/upload": upload_image,
    ASK: methods_chat.ask,
    "chat/replyRequest": methods_chat.answer_again,
    "chat/stop": methods_chat.stop,
    "chat/stopSession": methods_chat.stop_session,
    "chat/listAllSessions": methods_chat.list_sessions,
    "chat/getSessionById": methods_chat.get_session,
    "chat/deleteSessionById": methods_chat.delete_session,
    "chat/clearAllSessions": methods_chat.clear_sessions,
    "chat/deleteChatById": methods_chat.delete_chat,
    "session/getCurrent": methods_chat.current_sessions,
    "tool/call/approve": methods_chat.approve_tool,
    "tool/invokeResult": methods_chat.tool_result,
    "user/plan": _failing("failed to get user plan info: HTTP status 404"),
    "credit/usage": _failing("get user credit info error: HTTP status 400"),
    "model/queryClasses": _failing("no model config for scene: "),
}
