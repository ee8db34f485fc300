"""What became of each call of a client's tool: a log line and a count for each step, and a span from call to result.

`event: tool` is the line of Lingma's own tools too (`answering.py`); those have a `method`, these a `phase`. Arguments
and results are logged only where TOOLS_LOG_CONTENT says so, and masked.
"""

import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from opentelemetry.trace import Span

from lingma_contract.jsonlog import event
from lingma_contract.masking import MASK, without_secrets
from lingma_gateway.answers.calls import Made
from lingma_gateway.answers.results import Arrival, Arrived
from lingma_gateway.record import TurnRecord
from lingma_gateway.telemetry import spans
from lingma_gateway.telemetry.metrics import Metrics

log = logging.getLogger(__name__)

_MAX_TOOLS = 100
"""Names of tools that metrics tell apart: clients choose them."""
_MAX_NAME_CHARS = 64
_OTHER = "other"
_MAX_WAITING = 10_000
"""Calls that are remembered until their result comes."""
_MAX_CONTENT_CHARS = 4096
_ASSIGNED = re.compile(
    r"""(?i)(\w{0,40}(?:password|passwd|secret|token|api_?key)\w{0,40}\\?["']?\s{0,4}[:=]\s{0,4}\\?["']?)[^\s"',;\\]+"""
)
"""As configuration files have it: tools read them."""
_MODE = "emulate"


@dataclass(frozen=True, slots=True)
class Conversation:
    """What the lines of one turn have in common."""

    record: TurnRecord
    name: str
    """The same for all turns of a conversation; it tells nothing of what is said."""
    span: Span


@dataclass(frozen=True, slots=True)
class _Waiting:
    began_ns: int
    span: Span


class ToolTrace:
    """Remembers when a call was made, so that its result can be told how long it took."""

    def __init__(self, metrics: Metrics, *, log_content: bool, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._metrics = metrics
        self._log_content = log_content
        self._clock_ns = clock_ns
        self._tools: set[str] = set()
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()

    def made(self, of: Conversation, made: Made, duration_ms: float) -> None:
        """The client was given a call, so long after the model was asked."""
        outcome = "retried" if made.retried else "repaired" if made.repaired else "ok"
        self._count(made.head.name, outcome)
        self._write(
            of,
            "call",
            made.head.id,
            made.head.name,
            outcome=outcome,
            duration_ms=round(duration_ms, 1),
            arguments_chars=len(made.arguments),
            repaired=list(made.repaired) or None,
            arguments=self._content(made.arguments),
        )
        self._waiting[made.head.id] = _Waiting(self._clock_ns(), of.span)
        while len(self._waiting) > _MAX_WAITING:
            self._waiting.popitem(last=False)

    def failed(self, of: Conversation, tool: str | None, reason: str, *, finally_: bool) -> None:
        """A call cannot be executed: `tool` where it is one of the request's. It is asked for again, or given up."""
        if finally_:
            self._count(tool or _OTHER, "refused")
        self._write(of, "call", None, tool, outcome="refused" if finally_ else "asked_again", reason=reason)

    def arrived(self, of: Conversation, arrived: Arrived) -> None:
        """A request brought a result, or should have."""
        now_ns = self._clock_ns()
        missing = arrived.arrival is Arrival.MISSING
        waiting = None if missing else self._waiting.pop(arrived.call_id, None)
        self._write(
            of,
            "result",
            arrived.call_id,
            arrived.name,
            level=logging.INFO if arrived.arrival in (Arrival.OK, Arrival.ERROR) else logging.WARNING,
            outcome=arrived.arrival.value,
            duration_ms=None if waiting is None else round((now_ns - waiting.began_ns) / 1e6, 1),
            result_chars=None if missing else len(arrived.text),
            result=None if missing else self._content(arrived.text),
        )
        if waiting is not None:
            failed = arrived.arrival is Arrival.ERROR
            spans.execute_tool(waiting.span, arrived.name, arrived.call_id, waiting.began_ns, now_ns, failed=failed)

    def _write(
        self,
        of: Conversation,
        phase: str,
        call_id: str | None,
        name: str | None,
        *,
        level: int = logging.INFO,
        **fields: Any,
    ) -> None:
        record = of.record
        event(
            log,
            "tool",
            level=level,
            phase=phase,
            tool_call_id=call_id,
            name=name,
            request_id=record.request_id,
            conversation=of.name,
            key_id=record.key_id,
            account=record.account,
            mode=_MODE,
            trace_id=spans.trace_id(of.span),
            **fields,
        )

    def _count(self, tool: str, outcome: str) -> None:
        name = tool[:_MAX_NAME_CHARS]
        if name not in self._tools and len(self._tools) >= _MAX_TOOLS:
            name = _OTHER
        self._tools.add(name)
        self._metrics.tool_calls.labels(tool=name, outcome=outcome).inc()

    def _content(self, text: str) -> str | None:
        if not self._log_content:
            return None
        return _ASSIGNED.sub(rf"\1{MASK}", without_secrets(text[: 2 * _MAX_CONTENT_CHARS]))[:_MAX_CONTENT_CHARS]
