"""What Lingma is answered about its own tools in one turn, decided as its pushes arrive. Pure.

They are read here beside the answer and not with it: Lingma waits for an approval, however slowly a client reads.
"""

from collections.abc import Mapping
from typing import Any

from lingma_gateway.lingma.toolevents import METHODS, SYNC, Status, ToolEvents, call_id, status_of
from lingma_gateway.toolpolicy import Rule, ToolPolicy


class ToolAnswers:
    """The calls of one turn, and which of them were approved."""

    def __init__(self, policy: ToolPolicy) -> None:
        self._policy = policy
        self._events = ToolEvents()
        self._answered: set[str] = set()

    def knows(self, params: Mapping[str, Any]) -> bool:
        """Whether a push speaks of a call of this turn: such a one need not name the request."""
        return self._events.get(call_id(params)) is not None

    def approval(self, method: str, params: Mapping[str, Any]) -> bool | None:
        """Whether the call of a push may run, where Lingma waits to be told; None where it does not.

        It is told once a call, by the name that is known then: a later push that names it changes nothing.
        """
        if method not in METHODS:
            return None
        self._events.observe(method, params)
        use = self._events.get(call_id(params))
        if use is None or method != SYNC or status_of(params) is not Status.PENDING or use.id in self._answered:
            return None
        self._answered.add(use.id)
        return self._policy.rule(use.name) is not Rule.DENY
