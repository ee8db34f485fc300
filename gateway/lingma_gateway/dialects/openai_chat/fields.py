"""The fields of a request: what becomes of each, and how a value is read or refused by its name."""

from collections.abc import Mapping
from typing import Any, Final

from lingma_gateway.dialects.treatment import Fields, Treatment
from lingma_gateway.errors import InvalidRequest

_HONOURED, _EMULATED, _SILENT = Treatment.HONOURED, Treatment.EMULATED, Treatment.SILENT
_IGNORED, _REFUSED = Treatment.IGNORED, Treatment.REFUSED

FIELDS: Final[Fields] = {
    "messages": _HONOURED,
    "model": _HONOURED,
    "stream": _HONOURED,
    "stream_options.include_usage": _HONOURED,
    "stream_options.include_obfuscation": _SILENT,
    "user": _HONOURED,
    "tools": _EMULATED,
    "tool_choice": _EMULATED,
    "parallel_tool_calls": _EMULATED,
    "functions": _EMULATED,
    "function_call": _EMULATED,
    "stop": _EMULATED,
    "max_tokens": _EMULATED,
    "max_completion_tokens": _EMULATED,
    "response_format": _EMULATED,
    "metadata": _SILENT,
    "prompt_cache_key": _SILENT,
    "prompt_cache_options": _SILENT,
    "prompt_cache_retention": _SILENT,
    "safety_identifier": _SILENT,
    "service_tier": _SILENT,
    "store": _SILENT,
    "frequency_penalty": _IGNORED,
    "logit_bias": _IGNORED,
    "logprobs": _IGNORED,
    "moderation": _IGNORED,
    "prediction": _IGNORED,
    "presence_penalty": _IGNORED,
    "reasoning_effort": _IGNORED,
    "seed": _IGNORED,
    "temperature": _IGNORED,
    "top_logprobs": _IGNORED,
    "top_p": _IGNORED,
    "verbosity": _IGNORED,
    "web_search_options": _IGNORED,
    "audio": _REFUSED,
    "modalities": _REFUSED,
    "n": _REFUSED,
}
"""Every field of OpenAI's published request."""


def refuse_unsupported(fields: Mapping[str, Any]) -> None:
    """Refuse what would silently change the answer.

    Raises:
        InvalidRequest: one of the fields that FIELDS calls refused asks for more than the ordinary answer.
    """
    answers = fields.get("n")
    if answers is not None and (answers != 1 or isinstance(answers, bool)):
        raise InvalidRequest("n must be 1: Lingma gives one answer a request", param="n")
    if fields.get("modalities") not in (None, [], ["text"]):
        raise InvalidRequest("modalities must be ['text']: Lingma answers in text only", param="modalities")
    if fields.get("audio") is not None:
        raise InvalidRequest("audio must be left out: Lingma answers in text only", param="audio")


def optional_string(value: Any, where: str) -> str | None:
    """A string or None."""
    if value is not None and not isinstance(value, str):
        raise InvalidRequest(f"{where} must be a string", param=where)
    return value


def string(value: Any, where: str, default: str = "") -> str:
    """A string, `default` where it is left out."""
    found = optional_string(value, where)
    return default if found is None else found


def name(value: Any, where: str) -> str:
    """A string that is not empty."""
    if not isinstance(value, str) or not value:
        raise InvalidRequest(f"{where} must be a string that is not empty", param=where)
    return value


def boolean(value: Any, where: str, default: bool = False) -> bool:
    """True or false, `default` where it is left out."""
    if value is None:
        return default
    if not isinstance(value, bool):
        raise InvalidRequest(f"{where} must be true or false", param=where)
    return value


def mapping(value: Any, where: str) -> dict[str, Any]:
    """An object."""
    if not isinstance(value, dict):
        raise InvalidRequest(f"{where} must be an object", param=where)
    return value


def items(value: Any, where: str) -> list[Any]:
    """A list, empty where it is left out."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidRequest(f"{where} must be a list", param=where)
    return value
