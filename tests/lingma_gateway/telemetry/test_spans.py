"""Spans as an exporter gets them: in a process of its own, for a tracer provider is set once in a process."""

import json
import subprocess
import sys

PROGRAM = """
import json
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from lingma_gateway.errors import QuotaExceeded
from lingma_gateway.events import FinishReason, Usage
from lingma_gateway.record import TurnRecord
from lingma_gateway.telemetry import spans

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
record = TurnRecord("req-1", "team-a", account="alice", model="org_auto")
with spans.chat(record, "c0ffee") as turn:
    record.usage, record.finish = Usage(3, 5, True), FinishReason.TOOL_CALLS
spans.execute_tool(turn, "Read", "call_1", 1_000, 2_000, failed=False)
spans.execute_tool(turn, "Read", "call_2", 1_000, 2_000, failed=True)
try:
    with spans.chat(TurnRecord("req-2", "team-a"), "c0ffee"):
        raise QuotaExceeded("no more")
except QuotaExceeded:
    pass
print(json.dumps([
    {"name": span.name, "attributes": dict(span.attributes), "status": span.status.status_code.name,
     "times": [span.start_time, span.end_time], "parent": span.parent and span.parent.span_id,
     "id": span.context.span_id, "trace": trace.format_trace_id(span.context.trace_id) == spans.trace_id(turn)}
    for span in exporter.get_finished_spans()
]))
"""


def test_turns_and_tools_are_spans_with_the_names_of_the_conventions() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    chat, tool, failed_tool, failed_chat = json.loads(done.stdout)
    assert chat["name"] == "chat org_auto"
    assert chat["attributes"] == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "lingma",
        "gen_ai.request.model": "org_auto",
        "gen_ai.conversation.id": "c0ffee",
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.response.finish_reasons": ["tool_calls"],
        "lingma.account": "alice",
        "lingma.request_id": "req-1",
    }
    assert tool["name"] == "execute_tool Read"
    assert (tool["parent"], tool["trace"], tool["times"]) == (chat["id"], True, [1000, 2000])
    assert tool["attributes"]["gen_ai.tool.call.id"] == "call_1"
    assert (tool["status"], failed_tool["status"]) == ("UNSET", "ERROR")
    assert (failed_chat["status"], failed_chat["attributes"]["error.type"]) == ("ERROR", "quota_exceeded")


def test_without_an_exporter_nothing_is_traced() -> None:
    from lingma_gateway.record import TurnRecord
    from lingma_gateway.telemetry import spans

    with spans.chat(TurnRecord("req-1", "team-a"), "c0ffee") as span:
        assert spans.trace_id(span) is None
