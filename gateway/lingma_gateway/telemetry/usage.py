"""Totals of usage since the start, per account and per key id. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lingma_gateway.events import Usage


@dataclass(slots=True)
class Total:
    """Turns that reached an account, and their tokens."""

    turns: int = 0
    failed: int = 0
    cancelled: int = 0
    """The client went away first."""
    input_tokens: int = 0
    output_tokens: int = 0
    estimated_turns: int = 0
    """Of which the tokens are our estimate: Lingma's log had no count."""

    def add(self, usage: Usage | None, *, failed: bool, cancelled: bool) -> None:
        """Count one turn."""
        self.turns += 1
        self.failed += failed
        self.cancelled += cancelled
        if usage is not None:
            self.input_tokens += usage.input_tokens
            self.output_tokens += usage.output_tokens
            self.estimated_turns += usage.estimated

    def as_json(self) -> dict[str, int]:
        return {
            "turns": self.turns,
            "failed": self.failed,
            "cancelled": self.cancelled,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "estimated_turns": self.estimated_turns,
        }


@dataclass(slots=True)
class UsageTotals:
    """In memory: they begin anew with the process. Key ids are names of ours or the operator's, so there are few."""

    _accounts: dict[str, Total] = field(default_factory=dict)
    _keys: dict[str, Total] = field(default_factory=dict)

    def add(
        self, account: str, key_id: str, usage: Usage | None, *, failed: bool = False, cancelled: bool = False
    ) -> None:
        """Count one turn for its account and for its key."""
        for totals, name in ((self._accounts, account), (self._keys, key_id)):
            totals.setdefault(name, Total()).add(usage, failed=failed, cancelled=cancelled)

    def as_json(self) -> dict[str, Any]:
        return {"accounts": _as_json(self._accounts), "keys": _as_json(self._keys)}


def _as_json(totals: Mapping[str, Total]) -> dict[str, Any]:
    return {name: total.as_json() for name, total in sorted(totals.items())}
