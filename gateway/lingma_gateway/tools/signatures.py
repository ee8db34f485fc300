"""A JSON Schema as a signature in the manner of TypeScript: what a model needs to know, in a third of the text."""

import json
from collections.abc import Callable
from typing import Any

_DEPTH = 6
"""Nested objects that are written out; deeper ones are `object`."""
_LIMITS = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern", "format", "default")

Documented = Callable[[str], str]
"""How much of a description is told."""


def signature(schema_text: str, documented: Documented) -> str:
    """The arguments of a tool: `path: string, limit?: integer`, each with its description where it has one."""
    try:
        root = json.loads(schema_text)
    except (ValueError, RecursionError):
        return "object"
    if not isinstance(root, dict):
        return "object"
    if not isinstance(root.get("properties"), dict):
        return ""
    return _Writer(root, documented).members(root, "\n  ", _DEPTH)


class _Writer:
    def __init__(self, root: dict[str, Any], documented: Documented) -> None:
        self._root, self._documented = root, documented

    def members(self, schema: dict[str, Any], indent: str, depth: int) -> str:
        required = schema.get("required")
        required = required if isinstance(required, list) else []
        documented, members = False, []
        for name, member in schema["properties"].items():
            about = self._about(member)
            documented = documented or bool(about)
            mark = "" if name in required else "?"
            members.append((f"{name}{mark}: {self._type(member, indent + '  ', depth)}", about))
        if not documented:
            return ", ".join(text for text, _ in members)
        lines = (f"{text},  // {about}" if about else f"{text}," for text, about in members)
        return indent + indent.join(lines) + indent[:-2]

    def _about(self, schema: Any) -> str:
        if not isinstance(schema, dict):
            return ""
        description = schema.get("description")
        about = self._documented(description) if isinstance(description, str) else ""
        limits = [f"{key} {json.dumps(schema[key], ensure_ascii=False)}" for key in _LIMITS if key in schema]
        return "; ".join(part for part in (about, ", ".join(limits)) if part)

    def _type(self, schema: Any, indent: str, depth: int) -> str:
        if not isinstance(schema, dict):
            return "any"
        if isinstance(schema.get("$ref"), str):
            return self._type(self._target(schema["$ref"]), indent, depth - 1) if depth > 0 else "object"
        for key in ("anyOf", "oneOf"):
            if isinstance(schema.get(key), list):
                return " | ".join(self._type(branch, indent, depth - 1) for branch in schema[key])
        values = schema.get("enum", [schema["const"]] if "const" in schema else None)
        if isinstance(values, list):
            return " | ".join(json.dumps(value, ensure_ascii=False) for value in values)
        declared = schema.get("type", "any")
        if isinstance(declared, list):
            return " | ".join(self._type({**schema, "type": each}, indent, depth) for each in declared)
        return self._plain(declared, schema, indent, depth)

    def _plain(self, declared: Any, schema: dict[str, Any], indent: str, depth: int) -> str:
        if declared == "array":
            item = self._type(schema.get("items", {}), indent, depth - 1)
            return f"({item})[]" if " | " in item and not item.startswith("{") else f"{item}[]"
        if isinstance(schema.get("properties"), dict):
            return "{" + self.members(schema, indent, depth - 1) + "}" if depth > 0 else "object"
        return str(declared)

    def _target(self, reference: str) -> Any:
        target: Any = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            target = target.get(step) if isinstance(target, dict) else None
        return target
