"""What Lingma is asked: the params of `chat/ask` and of the other calls. Pure."""

from dataclasses import dataclass
from typing import Any

CLIENT_NAME = "lingma-openai-gateway"
"""Kept from the earlier gateway."""
CLIENT_VERSION = "0.1.0"


def initialize(process_id: int | None) -> dict[str, Any]:
    """Params of `initialize`. `process_id` is None when Lingma runs in another container: our pid is no one there."""
    return {
        "processId": process_id,
        "clientInfo": {"name": CLIENT_NAME, "version": CLIENT_VERSION},
        "capabilities": {},
        "workspaceFolders": [],
        "rootUri": None,
    }


@dataclass(frozen=True, slots=True)
class Ask:
    """What one `chat/ask` needs beside the prompt."""

    request_id: str
    model_key: str
    workspace: str
    """An empty folder: without one Lingma logs `workspacePath is empty` and may fail."""
    locale: str
    session_id: str = ""
    """The session that takes the question; empty: a new one."""
    is_reply: bool = False
    """Whether the session has been asked before. Simulated: an unknown id gets a new session then (low confidence)."""
    image_urls: tuple[str, ...] = ()
    """What `image/uploadResultNotification` named (protocol page, image/upload: medium confidence)."""


def ask(ask: Ask, prompt: str) -> dict[str, Any]:
    """Params of `chat/ask` in chat mode."""
    return {
        "requestId": ask.request_id,
        "sessionId": ask.session_id,
        "sessionType": "chat",
        "chatTask": "FREE_INPUT",
        "mode": "chat",
        "source": 1,
        "stream": True,
        "isReply": ask.is_reply,
        "taskDefinitionType": "system",
        "codeLanguage": "",
        # The plugin reads questionText; the earlier gateway, proven on real ones, sent all five (parity, section 4).
        "questionText": prompt,
        "content": prompt,
        "text": prompt,
        "message": prompt,
        "chatContext": {
            "text": prompt,
            "features": [],
            "preferredLanguage": ask.locale,
            "localeLang": ask.locale,
            **({"imageUrls": list(ask.image_urls)} if ask.image_urls else {}),
        },
        "extra": {"modelConfig": {"key": ask.model_key}, "workspacePath": ask.workspace},
        # One account serves many keys and must not remember one for another.
        "pluginPayloadConfig": {"isEnableAutoMemory": False, "isEnableAskAgent": False, "isEnableProjectRule": False},
    }


def stop(request_id: str, session_id: str) -> dict[str, Any]:
    """Params of `chat/stop`."""
    return {"requestId": request_id, "sessionId": session_id}


def denied_tool(params: dict[str, Any]) -> dict[str, Any]:
    """The answer to a `tool/invoke`: denied. No result is ever invented for work that nobody did.

    It is the reply itself, or the params of `tool/invokeResult` where the call says `async`.
    """
    return {
        "toolCallId": params.get("toolCallId", ""),
        "name": params.get("name", ""),
        "success": False,
        "errorMessage": "denied by the gateway's tool policy",
        "result": {},
    }


def denied_approval(params: dict[str, Any]) -> dict[str, Any]:
    """Params of `tool/call/approve` that deny the call in the params of a `tool/call/sync`."""
    return {
        "type": "tool_call",
        "sessionId": params.get("sessionId", ""),
        "requestId": params.get("requestId", ""),
        "toolCallId": params.get("toolCallId", ""),
        "approval": False,
    }
