"""What Lingma's own tools did in a turn, as steps that are told once: a call, and what came of it. Pure.

Pushes tell of a call piece by piece and again and again. It is told when its name and input are settled, so that what
was told never has to be corrected; what comes later about these changes nothing.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lingma_contract.masking import json_without_secrets, text_without_secrets
from lingma_gateway.lingma.toolevents import INVOKE, Status, ToolEvents, ToolUse
from lingma_gateway.toolpolicy import UNNAMED, Rule, ToolPolicy

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What every client takes for the id of a call."""
_BEGUN = frozenset({Status.PENDING, Status.RUNNING})


@dataclass(frozen=True, slots=True)
class OwnCall:
    """A call as it was told."""

    id: str
    """Lingma's own, where clients take it; one that the client is to execute has an id of its dialect."""
    name: str
    """`tool` where no push named it."""
    arguments: str
    """JSON, without what looks like a secret: the client is shown it, and the log may be."""
    rule: Rule
    theirs: bool = False
    """It is a call of a tool of the client's, which was sent on to Lingma: the client's to execute."""

    @property
    def shown(self) -> bool:
        """Whether the client is told of it."""
        return self.theirs or self.rule is Rule.SHOW


@dataclass(frozen=True, slots=True)
class OwnResult:
    """What came of a call, in Lingma's words."""

    call: OwnCall
    text: str
    """A string as it is, anything else as JSON; without what looks like a secret, since the tools run beside the
    session's files."""
    is_error: bool


@dataclass(frozen=True, slots=True)
class Unasked:
    """Lingma ran a tool that it may not use, without asking or though it was denied."""

    call: OwnCall


Step = OwnCall | OwnResult | Unasked


class OwnTools:
    """Reads the pushes about tools in their order."""

    def __init__(self, policy: ToolPolicy, mint: Callable[[], str], theirs: frozenset[str] = frozenset()) -> None:
        """`mint` makes ids of calls. `theirs`: names of the client's tools, where Lingma was told of them."""
        self._policy = policy
        self._mint = mint
        self._theirs = theirs
        self._events = ToolEvents()
        self._calls: dict[str, OwnCall] = {}
        self._answered: set[str] = set()
        self._asked: set[str] = set()
        """Calls that the gateway was asked to execute, which it refused."""
        self._ended = False

    def read(self, method: str, params: Mapping[str, Any]) -> list[Step]:
        """What a push settles."""
        steps: list[Step] = []
        for use in self._events.observe(method, params):
            if method == INVOKE:
                self._asked.add(use.id)
            settled = use.name != UNNAMED and (method == INVOKE or use.status in _BEGUN)
            if settled or _has_result(use):
                steps += self._tell(use)
        return steps

    def end(self) -> list[Step]:
        """What is left when the turn has ended: calls that went no further, and those that ended without a word."""
        uses = () if self._ended else self._events.uses
        self._ended = True
        return [step for use in uses for step in self._tell(use, last=True)]

    def _tell(self, use: ToolUse, *, last: bool = False) -> list[Step]:
        steps: list[Step] = []
        if use.id not in self._calls:
            self._calls[use.id] = self._call(use)
            steps.append(self._calls[use.id])
        call = self._calls[use.id]
        if call.theirs or use.id in self._answered:
            return steps
        # One that has only been called finished may still be told what came of it.
        if _has_result(use) or (last and use.ended):
            self._answered.add(use.id)
            steps.append(OwnResult(call, _said(use), use.is_error))
            ran = not use.is_error
        else:
            ran = last and use.status is Status.RUNNING and use.id not in self._asked
        return [*steps, Unasked(call)] if ran and call.rule is Rule.DENY else steps

    def _call(self, use: ToolUse) -> OwnCall:
        if use.name in self._theirs:
            return OwnCall(self._mint(), use.name, _dumped(use.input), Rule.DENY, theirs=True)
        id = use.id if _ID.fullmatch(use.id) else self._mint()
        return OwnCall(id, use.name, _json(use.input), self._policy.rule(use.name))


def _has_result(use: ToolUse) -> bool:
    return use.result is not None or use.status in (Status.ERROR, Status.CANCELLED)


def _said(use: ToolUse) -> str:
    said = use.error if use.result is None else use.result
    return text_without_secrets(said) if isinstance(said, str) else _json(said)


def _json(value: Any) -> str:
    return _dumped(json_without_secrets(value))


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
