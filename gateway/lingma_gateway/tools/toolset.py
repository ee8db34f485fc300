"""The tools that a request lets the model call, and what it says about calling them."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from lingma_gateway.conversation import ChoiceMode, Tool, ToolChoice

_NUMBERED = re.compile(r"^functions\.(.+?)(?::\d+)?$|^(.+):\d+$")
"""Kimi's ids, which carry the name: `functions.run:0` (tools page, section 1: high confidence)."""


@dataclass(frozen=True)
class ToolSet:
    """What the model is shown. Empty with the choice `none`: nothing is described, and nothing is parsed."""

    tools: tuple[Tool, ...] = ()
    required: bool = False
    """At least one call must come."""
    parallel: bool = True
    """False: the answer ends with its first call."""
    _canonical: dict[str, Tool | None] = field(init=False, repr=False, compare=False, default_factory=dict)
    """By folded name; None where two tools fold alike."""

    def __post_init__(self) -> None:
        for tool in self.tools:
            folded = fold(tool.name)
            self._canonical[folded] = None if folded in self._canonical else tool

    @classmethod
    def of(cls, tools: tuple[Tool, ...], choice: ToolChoice, parallel: bool = True) -> "ToolSet":
        """The tools of a Turn under its choice. An allowed name that no tool has is ignored."""
        if choice.mode is ChoiceMode.NONE:
            return cls()
        shown = tuple(tool for tool in tools if not choice.allowed or tool.name in choice.allowed)
        return cls(shown, bool(shown) and choice.mode is ChoiceMode.REQUIRED, parallel)

    @property
    def only(self) -> Tool | None:
        """The one tool that a required call can be for."""
        return self.tools[0] if self.required and len(self.tools) == 1 else None

    @cached_property
    def _exact(self) -> dict[str, Tool]:
        return {tool.name: tool for tool in self.tools}

    def find(self, name: str) -> Tool | None:
        """The tool that the model means: by its exact name, else by case and separators only, if that is unique."""
        for spelling in (name, bare_name(name)):
            found = self._exact.get(spelling) or self._canonical.get(fold(spelling))
            if found:
                return found
        return None

    def may_name(self, beginning: str, *, whole: bool) -> bool:
        """Whether a tool is called exactly so, or its name begins so."""
        return beginning in self._exact if whole else any(name.startswith(beginning) for name in self._exact)

    @cached_property
    def digest(self) -> str:
        """See `digest_of`."""
        return digest_of(self.tools)


def digest_of(tools: Iterable[Tool]) -> str:
    """Names what would be described, in 16 hexadecimal digits; the same tools in the same order give the same."""
    hashed = hashlib.sha256()
    for tool in tools:
        for part in (tool.kind, tool.name, tool.description, tool.schema, tool.grammar):
            encoded = part.encode("utf-8", "surrogatepass")
            hashed.update(b"%d:" % len(encoded) + encoded)
    return hashed.hexdigest()[:16]


def fold(name: str) -> str:
    """A name without its case and separators."""
    return re.sub(r"[\s_.\-]+", "", name).casefold()


def bare_name(name: str) -> str:
    """The name in one of Kimi's ids; any other name as it is."""
    numbered = _NUMBERED.match(name)
    return (numbered.group(1) or numbered.group(2)) if numbered else name
