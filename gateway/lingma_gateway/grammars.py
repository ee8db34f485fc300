"""Which way of writing calls the model is instructed in. Whatever that is, the parser accepts every way.

The grammars have a version, because a conversation that was begun in one is continued in it.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

VERSION = 1
"""Of the description, the instruction and the transcript together; it changes when any text of them does."""


class Grammar(StrEnum):
    """A way to write calls."""

    CODER = "coder"
    """Tags with raw strings, as Qwen-Coder was trained: whole files need no escaping."""
    HERMES = "hermes"
    """A JSON object between tags, as Qwen2.5, Qwen3 and Kimi K2 know it."""


DEFAULT_GRAMMARS = "kmodel=hermes,kimi-k2*=hermes,*=coder"
"""By model family (tools page, section 7). That `kmodel` is Kimi K2 is a guess from its name (low confidence)."""
DEFAULT_BUDGET = 12_000
"""Estimated tokens: the tools of Claude Code and two more servers in full; a client's 100 tools get less prose."""


@dataclass(frozen=True, slots=True)
class Grammars:
    """The setting TOOLS_GRAMMAR: the first pattern that a model's key or name fits decides."""

    patterns: tuple[tuple[str, Grammar], ...]

    @classmethod
    def parse(cls, text: str) -> "Grammars":
        """`PATTERN=GRAMMAR`, comma-separated, `*` in a pattern standing for any text; the defaults come behind.

        Raises:
            ValueError: the message names the entry by its position.
        """
        return cls((*_entries(text), *_entries(DEFAULT_GRAMMARS)))

    def of(self, model: str) -> Grammar:
        """The grammar for a model."""
        return next(grammar for pattern, grammar in self.patterns if _fits(pattern, model))


def _entries(text: str) -> list[tuple[str, Grammar]]:
    items = [item.strip() for item in text.split(",") if item.strip()]
    return [_entry(position, item) for position, item in enumerate(items, start=1)]


def _entry(position: int, item: str) -> tuple[str, Grammar]:
    pattern, equals, name = (part.strip() for part in item.partition("="))
    if not pattern or not equals or name not in set(Grammar):
        raise ValueError(f"entry {position} must be PATTERN=GRAMMAR with one of {', '.join(Grammar)}")
    return pattern, Grammar(name)


@lru_cache(maxsize=1024)
def _fits(pattern: str, model: str) -> bool:
    expression = ".*".join(re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(expression, model, re.IGNORECASE | re.DOTALL) is not None
