"""What a response repeats of its request."""

from collections.abc import Mapping
from typing import Any

from lingma_gateway.dialects.openai_responses.reading import Json, json_text

_AS_SENT = (
    "max_output_tokens",
    "max_tool_calls",
    "prompt_cache_key",
    "reasoning",
    "safety_identifier",
    "top_logprobs",
    "user",
)
"""Left out where the request has none of it."""
_NULLABLE = ("instructions", "previous_response_id", "temperature", "top_p")
"""Required by the published schema, or always sent: null where the request has none of it."""
_DEFAULTS: Json = {
    "metadata": {},
    "parallel_tool_calls": True,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "truncation": "disabled",
}


def echo(fields: Mapping[str, Any]) -> bytes:
    """A JSON object with the fields that responses to this request repeat.

    Raises:
        InvalidRequest: one of them is nested too deeply.
    """
    found: Json = {"background": False}
    found |= {name: fields.get(name) for name in _NULLABLE}
    found |= {name: fields[name] for name in _AS_SENT if fields.get(name) is not None}
    found |= {name: default if fields.get(name) is None else fields[name] for name, default in _DEFAULTS.items()}
    if isinstance(found["tools"], list):
        found["tools"] = [_tool(tool) for tool in found["tools"]]
    if isinstance(found["text"], dict):
        said = {name: value for name, value in found["text"].items() if value is not None}
        found["text"] = _DEFAULTS["text"] | said
    return b"{" + b",".join(_member(name, value) for name, value in found.items()) + b"}"


def _member(name: str, value: Any) -> bytes:
    return b'"%b":%b' % (name.encode(), json_text(value, name).encode())


def _tool(tool: Any) -> Any:
    """A function with the two fields that the published schema requires of one, though requests may lack them."""
    if isinstance(tool, dict) and tool.get("type") == "function":
        return {"parameters": None, "strict": None, **tool}
    return tool
