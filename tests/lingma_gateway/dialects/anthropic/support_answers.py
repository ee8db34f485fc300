"""Answers in which tools are called, by the sequencer."""

import orjson
from hypothesis import strategies as st

from lingma_gateway.events import (
    Call,
    Finished,
    FinishReason,
    PartDelta,
    PartKind,
    PartSequencer,
    PartStarted,
    Result,
    Started,
    StreamEvent,
    Usage,
)
from tests.lingma_gateway.support_events import usages

Steps = list[tuple[PartKind | Call | Result, str]]
"""Pieces of text and reasoning; calls and results with all of their text."""


def answer_of(steps: Steps, reason: FinishReason = FinishReason.STOP, usage: Usage | None = None) -> list[StreamEvent]:
    """A whole answer in which tools are called, by the sequencer."""
    parts = PartSequencer()
    body: list[StreamEvent] = []
    for what, text in steps:
        if isinstance(what, PartKind):
            body += parts.delta(what, text)
        else:
            kind = PartKind.TOOL_CALL if isinstance(what, Call) else PartKind.TOOL_RESULT
            begun = parts.begin(what)
            (started,) = (event for event in begun if isinstance(event, PartStarted))
            halves = (text[: len(text) // 2], text[len(text) // 2 :])
            body += [*begun, *(PartDelta(started.index, kind, half) for half in halves if half)]
    finished = Finished(reason, usage or Usage(3, 5, estimated=True), "session-1")
    return [Started("org_auto", 3), *body, *parts.close(), finished]


_ids = st.integers(0, 99).map(lambda number: f"call_{number}")
_arguments = st.dictionaries(st.text(max_size=5), st.integers(-9, 9) | st.text(max_size=8), max_size=3)
_steps = st.one_of(
    st.tuples(st.sampled_from((PartKind.TEXT, PartKind.REASONING)), st.text(max_size=20)),
    st.tuples(
        st.builds(Call, _ids, st.sampled_from(["read", "write"])), _arguments.map(lambda a: orjson.dumps(a).decode())
    ),
    st.tuples(st.builds(Call, _ids, st.just("now")), st.just("")),
    st.tuples(st.builds(Result, _ids, st.booleans()), st.text(max_size=20)),
)
answers_with_tools: st.SearchStrategy[list[StreamEvent]] = st.builds(
    answer_of, st.lists(_steps, max_size=10), st.sampled_from(FinishReason), usages
)
"""Answers in which the model calls tools, with or without arguments, and in which Lingma's own tools have answered."""
