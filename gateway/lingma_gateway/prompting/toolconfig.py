"""A client's tools as the earlier gateway sent them on to Lingma's agent. Pure.

A guess of that gateway (parity page, section 4): no source shows a Lingma that reads `toolConfig`, or what it looks
like. It is sent where TOOL_FORWARD_ENABLED says so, in OpenAI's form, whichever API the client speaks.
"""

import json
from typing import Any

from lingma_gateway.conversation import ChoiceMode, ToolChoice, Turn

_PROVIDER = "openai"


def tool_config(turn: Turn) -> dict[str, Any]:
    """`toolConfig` of `chat/ask`; `{}` for a turn without tools."""
    if not turn.tools:
        return {}
    functions = (
        {"name": tool.name, "description": tool.description, "parameters": json.loads(tool.schema)}
        for tool in turn.tools
    )
    return {
        "provider": _PROVIDER,
        "tools": [{"type": "function", "function": function} for function in functions],
        "tool_choice": _choice(turn.tool_choice),
    }


def _choice(choice: ToolChoice) -> str | dict[str, Any]:
    if choice.mode is ChoiceMode.REQUIRED and len(choice.allowed) == 1:
        return {"type": "function", "function": {"name": choice.allowed[0]}}
    return choice.mode.value
