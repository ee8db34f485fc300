import logging
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.trace import INVALID_SPAN

from lingma_contract.jsonlog import JsonFormatter
from lingma_gateway.answers.calls import Made
from lingma_gateway.answers.owntools import OwnCall, OwnResult
from lingma_gateway.answers.results import Arrival, Arrived
from lingma_gateway.events import Call
from lingma_gateway.pool import Pool, PoolSettings
from lingma_gateway.record import TurnRecord
from lingma_gateway.telemetry.metrics import Metrics
from lingma_gateway.telemetry.tooltrace import Conversation, ToolTrace
from lingma_gateway.toolpolicy import Rule

READ = Made(Call("call_1", "Read"), '{"path": "a.txt", "key": "sk-planted1234567890abcdef"}')


class Lines(logging.Handler):
    """The fields of each line, as they will be written."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: list[dict[str, Any]] = []
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        fields = record.__dict__["fields"]
        self.fields.append({key: value for key, value in fields.items() if value is not None})
        self.text += JsonFormatter().format(record)


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler, logger = Lines(), logging.getLogger("lingma_gateway.telemetry.tooltrace")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


class Bench:
    """A trace whose clock is set by hand."""

    def __init__(self, *, log_content: bool = False) -> None:
        self.now_ns = 0
        self.metrics = Metrics(Pool(PoolSettings(1, 1)))
        self.trace = ToolTrace(self.metrics, log_content=log_content, clock_ns=lambda: self.now_ns)
        self.of = Conversation(TurnRecord("req-1", "team-a", account="alice"), "c0ffee", INVALID_SPAN)

    def counted(self) -> dict[tuple[str, str], float]:
        return {
            (sample.labels["tool"], sample.labels["outcome"]): sample.value
            for family in self.metrics.tool_calls.collect()
            for sample in family.samples
            if sample.name.endswith("_total")
        }


def test_a_call_and_its_result_are_a_line_each_and_tell_how_long_the_client_took(lines: Lines) -> None:
    bench = Bench()
    bench.trace.made(bench.of, READ, 12.34)
    bench.now_ns = 2_500_000_000
    bench.trace.arrived(bench.of, Arrived("call_1", "Read", Arrival.OK, "hello"))
    common = {
        "tool_call_id": "call_1",
        "name": "Read",
        "request_id": "req-1",
        "conversation": "c0ffee",
        "key_id": "team-a",
        "account": "alice",
        "mode": "emulate",
        "outcome": "ok",
    }
    assert lines.fields == [
        {**common, "phase": "call", "duration_ms": 12.3, "arguments_chars": len(READ.arguments)},
        {**common, "phase": "result", "duration_ms": 2500.0, "result_chars": 5},
    ]


SECRETS = [
    "token ghp_planted1234567890abcdefghijklmnop",
    "DB_PASSWORD=planted",
    '{"api_key": "planted"}',
    '{"text": "API_KEY=\\"planted\\""}',
    "aws AKIAPLANTED12345678",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_arguments_and_results_are_logged_only_when_asked_and_masked(lines: Lines, secret: str) -> None:
    for log_content in (False, True):
        bench = Bench(log_content=log_content)
        bench.trace.made(bench.of, READ, 1)
        bench.trace.arrived(bench.of, Arrived("call_1", "Read", Arrival.OK, f"a result, {secret}"))
        assert ("a.txt" in lines.text) is ("a result" in lines.text) is log_content
    assert "planted" not in lines.text.lower()


@pytest.mark.parametrize(
    ("made", "outcome"),
    [
        (READ, "ok"),
        (Made(READ.head, "{}", repaired=("name",)), "repaired"),
        (Made(READ.head, "{}", repaired=("name",), retried=True), "retried"),
    ],
)
def test_a_call_is_counted_by_tool_and_outcome(made: Made, outcome: str) -> None:
    bench = Bench()
    bench.trace.made(bench.of, made, 1)
    assert bench.counted() == {("Read", outcome): 1}


def test_a_call_that_is_given_up_is_refused_and_one_that_is_asked_for_again_is_not_counted(lines: Lines) -> None:
    bench = Bench()
    bench.trace.failed(bench.of, "Read", "invalid", finally_=False)
    bench.trace.failed(bench.of, None, "unknown_tool", finally_=True)
    assert bench.counted() == {("other", "refused"): 1}
    assert [(line.get("name"), line["outcome"], line["reason"]) for line in lines.fields] == [
        ("Read", "asked_again", "invalid"),
        (None, "refused", "unknown_tool"),
    ]


def test_metrics_tell_a_hundred_tools_apart_and_no_more() -> None:
    bench = Bench()
    for number in range(150):
        bench.trace.made(bench.of, Made(Call("call_1", f"tool-{number}"), "{}"), 1)
    bench.trace.made(bench.of, Made(Call("call_1", "tool-3"), "{}"), 1)
    bench.trace.made(bench.of, Made(Call("call_1", "x" * 500), "{}"), 1)
    counted = bench.counted()
    assert len(counted) == 101
    assert counted["tool-3", "ok"] == 2
    assert counted["other", "ok"] == 51


@pytest.mark.parametrize(
    ("arrival", "level"), [(Arrival.ERROR, "INFO"), (Arrival.UNKNOWN, "WARNING"), (Arrival.MISSING, "WARNING")]
)
def test_a_result_that_nobody_waited_for_and_one_that_is_missing_are_warnings(
    lines: Lines, caplog: pytest.LogCaptureFixture, arrival: Arrival, level: str
) -> None:
    bench = Bench()
    bench.trace.arrived(bench.of, Arrived("call_9", "Read", arrival))
    assert [record.levelname for record in caplog.records] == [level]
    assert "duration_ms" not in lines.fields[0]
    assert ("result_chars" in lines.fields[0]) is (arrival is not Arrival.MISSING)


def test_calls_whose_result_never_comes_are_forgotten_in_the_end(lines: Lines) -> None:
    bench = Bench()
    for number in range(10_001):
        bench.trace.made(bench.of, Made(Call(f"call_{number}", "Read"), "{}"), 1)
    bench.trace.arrived(bench.of, Arrived("call_0", "Read", Arrival.OK))
    bench.trace.arrived(bench.of, Arrived("call_1", "Read", Arrival.OK))
    assert ["duration_ms" in line for line in lines.fields[-2:]] == [False, True]


LISTS = OwnCall("c1", "list_dir", '{"path":"src"}', Rule.SHOW)
DELETES = OwnCall("c2", "delete_file", "{}", Rule.DENY)


def test_a_tool_of_lingmas_own_has_the_same_lines_and_says_its_rule(lines: Lines) -> None:
    bench = Bench()
    bench.trace.own_call(bench.of, LISTS, 3.21)
    bench.now_ns = 2_500_000_000
    bench.trace.own_result(bench.of, OwnResult(LISTS, "no such folder", True))
    common = {
        "tool_call_id": "c1",
        "name": "list_dir",
        "request_id": "req-1",
        "conversation": "c0ffee",
        "key_id": "team-a",
        "account": "alice",
        "mode": "agent",
        "rule": "show",
    }
    assert lines.fields == [
        {**common, "phase": "call", "outcome": "ok", "duration_ms": 3.2, "arguments_chars": 14},
        {**common, "phase": "result", "outcome": "error", "duration_ms": 2500.0, "result_chars": 14},
    ]
    assert bench.counted() == {("list_dir", "ok"): 1}


def test_one_that_is_denied_is_refused_and_one_that_runs_all_the_same_is_a_warning(
    lines: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench()
    bench.trace.own_call(bench.of, DELETES, 1)
    bench.trace.own_unasked(bench.of, DELETES)
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]
    assert [(line["phase"], line["outcome"]) for line in lines.fields] == [("call", "refused"), ("unasked", "unasked")]
    assert bench.counted() == {("delete_file", "refused"): 1, ("delete_file", "unasked"): 1}


def test_a_call_that_lingma_left_to_the_client_ends_with_the_result_of_its_next_request(lines: Lines) -> None:
    bench = Bench()
    theirs = OwnCall("call_1", "Read", "{}", Rule.DENY, theirs=True)
    bench.trace.own_call(bench.of, theirs, 1)
    bench.now_ns = 1_000_000
    bench.trace.arrived(bench.of, Arrived("call_1", "Read", Arrival.OK, "x"))
    assert "rule" not in lines.fields[0]
    assert (lines.fields[0]["outcome"], lines.fields[1]["duration_ms"]) == ("ok", 1.0)


def test_arguments_and_results_of_lingmas_tools_are_logged_when_asked_for_alone(lines: Lines) -> None:
    for log_content in (False, True):
        bench = Bench(log_content=log_content)
        bench.trace.own_call(bench.of, LISTS, 1)
        bench.trace.own_result(bench.of, OwnResult(LISTS, "a.txt", False))
    assert ["arguments" in line or "result" in line for line in lines.fields] == [False, False, True, True]
    assert (lines.fields[2]["arguments"], lines.fields[3]["result"]) == ('{"path":"src"}', "a.txt")
