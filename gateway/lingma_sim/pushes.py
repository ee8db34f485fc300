"""The parameters of what the simulator pushes in a turn, in the order of the live captures (protocol page). Pure."""

from dataclasses import dataclass
from typing import Any

Params = dict[str, Any]

RUN_INSIDE = frozenset(
    {
        *("search_codebase", "search_file", "search_symbol", "search_web", "grep_code", "list_dir", "edit_file"),
        *("create_file", "delete_file", "search_replace", "update_memory", "search_memory", "fetch_content"),
        *("fetch_rules", "add_tasks", "update_tasks", "todo_write", "mcp", "Skill"),
    }
)
"""Tools that Lingma runs itself: they are shown by tool/call/sync and never sent to the client by tool/invoke."""


@dataclass(frozen=True, slots=True)
class TurnIds:
    """What ties a push to its turn."""

    request_id: str
    session_id: str
    session_type: str

    @property
    def both(self) -> Params:
        """The two ids that every push of a turn carries."""
        return {"requestId": self.request_id, "sessionId": self.session_id}

    @property
    def extra(self) -> Params:
        """`extra` of chat/answer, chat/think and chat/finish."""
        return {"sessionType": self.session_type}


def step(turn: TurnIds, name: str) -> Params:
    """chat/process_step_callback."""
    return {**turn.both, "step": name, "description": "", "status": "done", "result": {}, "message": ""}


def title(turn: TurnIds, text: str) -> Params:
    """session/title/update (its fields are assumed)."""
    return {"sessionId": turn.session_id, "sessionTitle": text}


def answer(turn: TurnIds, text: str, now_ms: int, *, overwrite: bool = False) -> Params:
    """chat/answer; `overwrite` replaces what was said before."""
    return {
        **turn.both,
        "text": text,
        "overwrite": overwrite,
        "isFiltered": False,
        "timestamp": now_ms,
        "extra": turn.extra,
    }


def think(turn: TurnIds, text: str, phase: str, now_ms: int) -> Params:
    """chat/think; `phase` is `start` or `done`."""
    return {**turn.both, "text": text, "step": phase, "timestamp": now_ms, "extra": turn.extra}


def finish(turn: TurnIds, *, reason: str, status: int, full_answer: str = "") -> Params:
    """chat/finish. `fullAnswer` is empty on success too, so clients must join the chunks."""
    return {**turn.both, "reason": reason, "statusCode": status, "fullAnswer": full_answer, "extra": turn.extra}


def tool_sync(
    turn: TurnIds, call_id: str, status: str, parameters: Params, results: list[Any], error: str, name: str = ""
) -> Params:
    """tool/call/sync. It holds no tool name, but where a fault gives it one."""
    return {
        **({"name": name} if name else {}),
        "sessionId": turn.session_id,
        "requestId": turn.request_id,
        "projectPath": "",
        "toolCallId": call_id,
        "toolCallStatus": status,
        "parameters": parameters,
        "results": results,
        "errorCode": "TOOL_ERROR" if error else "",
        "errorMsg": error,
    }


def tool_invoke(turn: TurnIds, call_id: str, name: str, parameters: Params, *, later: bool = False) -> Params:
    """tool/invoke. The reply is the result or, if it may come `later`, an ack before tool/invokeResult."""
    return {
        "requestId": turn.request_id,
        "toolCallId": call_id,
        "name": name,
        "parameters": parameters,
        "async": later,
    }


def ask_result(request_id: str, *, error_code: str = "", error_message: str = "") -> Params:
    """The immediate result of chat/ask sent as a request."""
    return {
        "requestId": request_id,
        "isSuccess": not error_code,
        "errorCode": error_code,
        "errorMessage": error_message,
        "status": "error" if error_code else "success",
    }


def context_usage(used: int, limit: int) -> Params:
    """context/usage/sync, as Qoder CN pushes it."""
    return {"usedTokens": used, "limitTokens": limit}


OTHERS: tuple[tuple[str, Params], ...] = (
    ("config/changeGlobal", {}),
    ("config/refreshModels", {}),
    ("model/refresh", {}),
    ("error/notificationError", {"code": "", "message": "simulated"}),
    ("chat/notification", {"message": "simulated"}),
    ("chat/filterTimeout", {}),
    ("update/ready", {}),
    ("system/network_recover", {}),
    ("snapshot/syncAll", {}),
    ("workingSpaceFile/sync", {}),
)
"""Documented pushes that say nothing about a turn; their params are assumed."""
