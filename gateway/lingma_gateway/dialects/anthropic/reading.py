"""Fields of a body, taken by type; an error names the field in Anthropic's words."""

from collections.abc import Mapping
from typing import Any

import orjson

from lingma_gateway.errors import InvalidRequest

MISSING = "Field required"


def refusal(where: str, why: str) -> InvalidRequest:
    """The error about the field `where`."""
    return InvalidRequest(f"{where}: {why}", param=where)


def body(data: bytes) -> Mapping[str, Any]:
    """The object that a body is.

    Raises:
        InvalidRequest: it is none.
    """
    try:
        fields = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"The request body is not valid JSON: {error}") from error
    if not isinstance(fields, dict):
        raise InvalidRequest("The request body must be a JSON object")
    return fields


def obj(value: Any, where: str) -> Mapping[str, Any]:
    """An object."""
    if not isinstance(value, dict):
        raise refusal(where, "Input should be an object")
    return value


def items(value: Any, where: str) -> list[Any]:
    """A list; null is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise refusal(where, "Input should be a valid list")
    return value


def string(fields: Mapping[str, Any], name: str, where: str) -> str:
    """The string that `fields`, which is `where`, must have under `name`."""
    path = f"{where}.{name}" if where else name
    if name not in fields:
        raise refusal(path, MISSING)
    value = fields[name]
    if not isinstance(value, str):
        raise refusal(path, "Input should be a valid string")
    return value


def optional_string(fields: Mapping[str, Any], name: str, where: str) -> str:
    """The same, empty where it is missing or null."""
    return "" if fields.get(name) is None else string(fields, name, where)


def boolean(fields: Mapping[str, Any], name: str, where: str = "") -> bool:
    """A boolean; false where it is missing or null."""
    value = fields.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise refusal(f"{where}.{name}" if where else name, "Input should be a valid boolean")
    return value


def json_text(value: Any, where: str) -> str:
    """JSON that the client chose, as text, with its own order of keys."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        raise refusal(where, f"Input cannot be read: {error}") from error
