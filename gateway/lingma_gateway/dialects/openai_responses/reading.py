"""Values of a body, taken by type; an error names the field in OpenAI's words."""

from collections.abc import Mapping
from typing import Any

import orjson

from lingma_gateway.errors import InvalidRequest, MissingParameter

Json = dict[str, Any]
"""A JSON object."""

_NAMES = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
}


def wrong_type(value: Any, where: str, expected: str) -> InvalidRequest:
    """The error about a value of another type than `expected`."""
    got = "null" if value is None else _NAMES[type(value)]
    return InvalidRequest(f"Invalid type for '{where}': expected {expected}, but got {got} instead.", param=where)


def missing(where: str) -> MissingParameter:
    """The error about a field that is not there."""
    return MissingParameter(f"Missing required parameter: '{where}'.", param=where)


def body(data: bytes) -> Json:
    """The object that a body is.

    Raises:
        InvalidRequest: it is none.
    """
    try:
        fields = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"We could not parse the JSON body of your request: {error}") from error
    if not isinstance(fields, dict):
        raise InvalidRequest("The JSON body of your request must be an object.")
    return fields


def obj(value: Any, where: str) -> Json:
    """An object."""
    if not isinstance(value, dict):
        raise wrong_type(value, where, "an object")
    return value


def array(value: Any, where: str) -> list[Any]:
    """A list; null is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise wrong_type(value, where, "an array of objects")
    return value


def text(value: Any, where: str) -> str:
    """A string."""
    if not isinstance(value, str):
        raise wrong_type(value, where, "a string")
    return value


def optional_text(fields: Mapping[str, Any], name: str, where: str = "") -> str:
    """The string that `fields`, which is `where`, has under `name`; empty where it is left out or null."""
    value = fields.get(name)
    return "" if value is None else text(value, at(where, name))


def required_text(fields: Mapping[str, Any], name: str, where: str) -> str:
    """The same where it must be there and not empty."""
    if fields.get(name) in (None, ""):
        raise missing(at(where, name))
    return text(fields[name], at(where, name))


def boolean(fields: Mapping[str, Any], name: str, where: str = "", *, default: bool = False) -> bool:
    """True or false; `default` where it is left out or null."""
    value = fields.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise wrong_type(value, at(where, name), "a boolean")
    return value


def at(where: str, name: str) -> str:
    """The path of a field of an object."""
    return f"{where}.{name}" if where else name


def json_text(value: Any, where: str) -> str:
    """JSON that the client chose, as text, with its own order of keys."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        raise InvalidRequest(f"Invalid value for '{where}': it is nested too deeply.", param=where) from error
