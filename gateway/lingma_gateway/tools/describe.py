"""Tells the model its tools, as briefly as the budget asks. Types, enums and the order of arguments are always kept."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lingma_gateway.conversation import Tool, ToolKind
from lingma_gateway.grammars import DEFAULT_BUDGET
from lingma_gateway.tokens import estimate
from lingma_gateway.tools.signatures import signature


class Format(StrEnum):
    """How tools are described, from the most to the least; values are labels of metrics."""

    JSON = "json"
    """The whole schemas, minified."""
    TYPESCRIPT = "typescript"
    """Signatures, with the descriptions of tools and arguments as comments."""
    SHORT_DOCS = "short_docs"
    """The same with the first sentence about each argument."""
    NO_DOCS = "no_docs"
    """The same without descriptions of arguments."""
    NAMES = "names"
    """Signatures with one sentence about each tool."""


@dataclass(frozen=True, slots=True)
class Description:
    """The text that tells the model its tools."""

    text: str
    format: Format
    tokens: int
    """Estimated, as all tokens are (`tokens.py`)."""


def describe(tools: Sequence[Tool], budget: int = DEFAULT_BUDGET) -> Description:
    """The tools in the fullest format that fits the budget (estimated tokens); the last one where none does.

    The same tools give the same text. Tools that came later can be described alone: say `describe(added)`.
    """
    described = None
    for style in Format:
        text = "\n".join(("<tools>", *(_one(tool, style) for tool in tools), "</tools>"))
        described = Description(text, style, estimate(text))
        if described.tokens <= budget:
            break
    assert described is not None
    return described


def _one(tool: Tool, style: Format) -> str:
    if style is Format.JSON:
        return _minified(tool)
    about = _sentence(tool.description) if style is Format.NAMES else tool.description
    comment = [f"// {line}".rstrip() for line in about.strip().splitlines()]
    if tool.kind is ToolKind.CUSTOM:
        return "\n".join([*comment, *_grammar_lines(tool), f"{tool.name}(input: text)"])
    documented = {Format.TYPESCRIPT: _whole, Format.SHORT_DOCS: _sentence}.get(style, _nothing)
    return "\n".join([*comment, f"{tool.name}({signature(tool.schema, documented)})"])


def _minified(tool: Tool) -> str:
    told: dict[str, Any] = {"name": tool.name}
    if tool.description:
        told["description"] = tool.description
    if tool.kind is ToolKind.CUSTOM:
        told["input"] = "free text"
        if tool.grammar:
            told["grammar"] = tool.grammar
    else:
        told["parameters"] = _schema(tool.schema)
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def _schema(text: str) -> Any:
    """The schema without what says nothing to a model; as text where it is not JSON."""
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(schema, dict):
        schema.pop("$schema", None)
    return schema


def _grammar_lines(tool: Tool) -> list[str]:
    return [f"// {line}" for line in tool.grammar.splitlines()]


def _whole(text: str) -> str:
    return " ".join(text.split())


_SENTENCE = re.compile(r"(.{1,160}?)(?:[.。!?](?=\s|$)|$)|.{1,160}")
"""One sentence, or as much of it as is worth telling."""


def _sentence(text: str) -> str:
    found = _SENTENCE.match(_whole(text))
    return found.group().strip() if found else ""


def _nothing(_text: str) -> str:
    return ""
