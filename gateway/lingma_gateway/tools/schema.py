"""A tool's JSON Schema: what fits it, what it makes of text, which values may be streamed.

Coercion follows the schema alone: a string stays a string wherever the schema allows one.
"""

import json
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import isfinite
from typing import Any

import jsonschema_rs
from jsonschema_rs import ValidationErrorKind

from lingma_gateway.tools.repair import Repeated, Unreadable, read_json

_WHOLE_OBJECT = frozenset(
    ("required", "minProperties", "maxProperties", "dependentRequired", "dependentSchemas", "dependencies")
    + ("allOf", "anyOf", "oneOf", "not", "if", "then", "else")
)
"""Keywords that can only be judged when the object is complete."""
_NOT_PLAIN = frozenset(
    ("enum", "const", "pattern", "minLength", "maxLength", "format", "anyOf", "oneOf", "allOf", "not")
)
"""With one of these a string may turn out wrong, or not to be a string: it is not streamed."""
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,300})", re.ASCII)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_BOOLEANS = {"true": True, "True": True, "false": False, "False": False}
_LITERALS = ("null", "None")
_DEPTH = 32
"""How deep references, alternatives and values are followed."""
_SHOWN = 160
"""Characters of a validator's sentence that the model is shown."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a value does not fit."""

    field: str
    """Path of the value: `todos.0.status`; empty: the object itself."""
    message: str
    """The validator's sentence; it may quote the value."""


class Schema:
    """One tool's schema, compiled. A schema that cannot be compiled checks nothing; the call is not refused for it."""

    def __init__(self, text: str) -> None:
        self._root = _loaded(text)
        self._complete = _compiled(self._root)
        self._partial = _compiled({key: value for key, value in self._root.items() if key not in _WHOLE_OBJECT})

    @cached_property
    def properties(self) -> dict[str, Any]:
        """Schemas of the declared arguments, in the client's order."""
        found = self._resolved(self._root).get("properties")
        return found if isinstance(found, dict) else {}

    def of(self, key: str) -> Any:
        """The schema of the argument `key`."""
        extra = self._resolved(self._root).get("additionalProperties")
        return self.properties.get(key, extra if isinstance(extra, dict) else {})

    def is_plain_string(self, key: str) -> bool:
        """Whether every text is a valid value of `key`, so that it can be handed out while it comes."""
        schema = self.properties.get(key)
        if not isinstance(schema, dict) or _NOT_PLAIN.intersection(schema):
            return False
        resolved = self._resolved(schema)
        return resolved.get("type") == "string" and not _NOT_PLAIN.intersection(resolved)

    def misfit(self, arguments: dict[str, Any]) -> Misfit | None:
        """What is wrong with the complete arguments."""
        return _first_misfit(self._complete, arguments)

    def fits_so_far(self, arguments: dict[str, Any]) -> bool:
        """Whether arguments that are not all there yet can still become valid."""
        return _first_misfit(self._partial, arguments) is None

    def coerced(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The arguments with each text that cannot be a text made what the schema says."""
        return {key: self.value(value, self.of(key)) for key, value in arguments.items()}

    def from_text(self, key: str, text: str) -> Any:
        """The value of `key` that stands as raw text in a tag."""
        schema = self.of(key)
        types = self._types(schema, _DEPTH)
        if "null" in types and text.strip() in _LITERALS:
            return None
        return self.value(text, schema)

    def value(self, value: Any, schema: Any, depth: int = _DEPTH) -> Any:
        """`value` as `schema` wants it; unchanged where nothing sure can be done."""
        if depth <= 0 or not isinstance(schema, dict):
            return value
        if isinstance(value, str):
            types = self._types(schema, depth)
            if not types or "string" in types:
                return value
            converted = _converted(value, types)
            return value if converted is _NOTHING else self.value(converted, schema, depth - 1)
        branch = self._resolved(schema)
        if isinstance(value, list):
            return [self.value(item, branch.get("items"), depth - 1) for item in value]
        if isinstance(value, dict):
            known = branch.get("properties")
            known = known if isinstance(known, dict) else {}
            return {key: self.value(item, known.get(key), depth - 1) for key, item in value.items()}
        return value

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        """`schema` behind its local references; of alternatives with a null, the other one."""
        for _ in range(_DEPTH):
            reference = schema.get("$ref")
            target = self._target(reference) if isinstance(reference, str) else _sole_alternative(schema)
            if not isinstance(target, dict):
                return schema
            schema = target
        return schema

    def _target(self, reference: str) -> Any:
        target: Any = self._root
        if not reference.startswith("#"):
            return None
        for step in reference[1:].split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            target = target.get(name) if isinstance(target, dict) else None
        return target

    def _types(self, schema: Any, depth: int) -> set[str]:
        """The JSON types that a value may have; empty: any, or not known."""
        if depth <= 0 or not isinstance(schema, dict):
            return set()
        if isinstance(schema.get("$ref"), str):
            return self._types(self._target(schema["$ref"]), depth - 1)
        for key in ("anyOf", "oneOf"):
            if isinstance(schema.get(key), list):
                each = [self._types(branch, depth - 1) for branch in schema[key]]
                return set().union(*each) if all(each) else set()
        declared = schema.get("type")
        if isinstance(declared, str):
            return {declared}
        if isinstance(declared, list):
            return {item for item in declared if isinstance(item, str)}
        allowed = schema.get("enum", [schema["const"]] if "const" in schema else None)
        return {_type_name(item) for item in allowed} if isinstance(allowed, list) else set()


@lru_cache(maxsize=1024)
def schema_of(text: str) -> Schema:
    """The compiled schema of a tool; the same text is compiled once."""
    return Schema(text)


def _loaded(text: str) -> dict[str, Any]:
    try:
        root = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return root if isinstance(root, dict) else {}


def _compiled(root: dict[str, Any]) -> jsonschema_rs.Validator | None:
    """The validator. A client's schema must make the gateway fetch nothing: no network, no file."""
    try:
        return jsonschema_rs.validator_for(root, offline=True, validate_formats=False)
    except (ValueError, RecursionError):
        return None


def _first_misfit(validator: Any, arguments: dict[str, Any]) -> Misfit | None:
    if validator is None:
        return None
    try:
        for error in validator.iter_errors(arguments):
            message = error.message
            shown = message if len(message) <= _SHOWN else f"{message[: _SHOWN // 2]} … {message[-_SHOWN // 2 :]}"
            return Misfit(".".join(str(step) for step in (*error.instance_path, *_named_by(error.kind))), shown)
    except (ValueError, RecursionError):
        return None
    return None


def _named_by(kind: object) -> tuple[str, ...]:
    """The member that an error is about although it is told of the object around it."""
    match kind:
        case ValidationErrorKind.Required():
            return (kind.property,)
        case ValidationErrorKind.AdditionalProperties():
            return (kind.unexpected[0],)
        case _:
            return ()


_NOTHING = object()


def _converted(text: str, types: set[str]) -> Any:
    stripped = text.strip()
    if "null" in types and stripped in _LITERALS:
        return None
    if "boolean" in types and stripped in _BOOLEANS:
        return _BOOLEANS[stripped]
    if types & {"integer", "number"} and _INTEGER.fullmatch(stripped):
        return int(stripped)
    if "number" in types and _NUMBER.fullmatch(stripped):
        number = float(stripped)
        return number if isfinite(number) else _NOTHING
    if types & {"array", "object"} and stripped[:1] in ("[", "{"):
        try:
            loaded = read_json(stripped).value
        except (Unreadable, Repeated):
            return _NOTHING
        return loaded if _type_name(loaded) in types else _NOTHING
    return _NOTHING


def _sole_alternative(schema: dict[str, Any]) -> Any:
    """Of `anyOf` with one branch beside null, that branch."""
    for key in ("anyOf", "oneOf"):
        branches = schema.get(key)
        if isinstance(branches, list):
            others = [branch for branch in branches if not (isinstance(branch, dict) and branch.get("type") == "null")]
            return others[0] if len(others) == 1 else None
    return None


def _type_name(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")
