"""OpenTelemetry spans, by the semantic conventions for generative AI. Without an SDK in the process they cost nothing.

Spans are begun and ended by hand, never made current: a turn is a generator, whose steps run in whatever context asks
for the next one.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from lingma_gateway.errors import GatewayError
from lingma_gateway.record import TurnRecord

_SCOPE = "lingma_gateway"
_PROVIDER = "lingma"


@contextmanager
def chat(record: TurnRecord, conversation: str) -> Iterator[Span]:
    """The span of a turn, from when it has its slot. What it used is read from `record` at its end."""
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": _PROVIDER,
        "gen_ai.request.model": str(record.model),
        "gen_ai.conversation.id": conversation,
        "lingma.account": str(record.account),
        "lingma.request_id": record.request_id,
    }
    span = trace.get_tracer(_SCOPE).start_span(f"chat {record.model}", kind=SpanKind.CLIENT, attributes=attributes)
    try:
        yield span
    except BaseException as error:
        code = error.fault.code if isinstance(error, GatewayError) else None
        span.set_attribute("error.type", code or type(error).__name__)
        span.set_status(Status(StatusCode.ERROR))
        raise
    finally:
        if record.usage is not None:
            span.set_attribute("gen_ai.usage.input_tokens", record.usage.input_tokens)
            span.set_attribute("gen_ai.usage.output_tokens", record.usage.output_tokens)
        if record.finish is not None:
            span.set_attribute("gen_ai.response.finish_reasons", [record.finish.value])
        span.end()


def execute_tool(parent: Span, name: str, call_id: str, began_ns: int, ended_ns: int, *, failed: bool) -> None:
    """The span of a call, from when the client was given it to when its result came; its turn may be long over."""
    span = trace.get_tracer(_SCOPE).start_span(
        f"execute_tool {name}",
        context=trace.set_span_in_context(trace.NonRecordingSpan(parent.get_span_context())),
        kind=SpanKind.INTERNAL,
        attributes={
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": name,
            "gen_ai.tool.call.id": call_id,
            "gen_ai.tool.type": "function",
        },
        start_time=began_ns,
    )
    if failed:
        span.set_status(Status(StatusCode.ERROR))
    span.end(ended_ns)


def trace_id(span: Span) -> str | None:
    """For the log; None where nothing is traced."""
    context = span.get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None
