"""The ordering law as a check, and events that obey it."""

from collections.abc import Iterable

import orjson
from hypothesis import strategies as st

from lingma_gateway.events import (
    Call,
    Finished,
    FinishReason,
    PartDelta,
    PartEnded,
    PartKind,
    PartSequencer,
    PartStarted,
    Result,
    Started,
    StreamEvent,
    Usage,
)

Pieces = list[tuple[PartKind, str]]


def check_ordering(events: Iterable[StreamEvent]) -> None:
    """Fails unless: Started, then (PartStarted, PartDelta*, PartEnded)*, then Finished; indexes count from 0."""
    state, part, parts = "before", (-1, PartKind.TEXT), 0
    for event in events:
        match event:
            case Started():
                assert state == "before", f"{event} in state {state!r}"
                state = "between"
            case PartStarted(index, kind):
                assert state == "between", f"{event} in state {state!r}"
                assert index == parts, f"{event} is part {parts}"
                state, part, parts = "open", (index, kind), parts + 1
            case PartDelta(index, kind, text):
                assert state == "open", f"{event} in state {state!r}"
                assert (index, kind) == part, f"{event} while {part} is open"
                assert text, "an empty delta"
            case PartEnded(index, kind):
                assert state == "open", f"{event} in state {state!r}"
                assert (index, kind) == part, f"{event} while {part} is open"
                state = "between"
            case Finished():
                assert state == "between", f"{event} in state {state!r}"
                state = "finished"
    assert state == "finished", f"the answer ends in state {state!r}"


def text_of(events: Iterable[StreamEvent], kind: PartKind) -> str:
    """All text of one kind."""
    return "".join(event.text for event in events if isinstance(event, PartDelta) and event.kind is kind)


def answer(pieces: Pieces, reason: FinishReason = FinishReason.STOP, usage: Usage | None = None) -> list[StreamEvent]:
    """A whole answer of these pieces, by the sequencer."""
    parts = PartSequencer()
    body = [event for kind, text in pieces for event in parts.delta(kind, text)]
    finished = Finished(reason, usage or Usage(3, 5, estimated=True), "session-1")
    return [Started("org_auto"), *body, *parts.close(), finished]


_SPOKEN = (PartKind.TEXT, PartKind.REASONING)
pieces: st.SearchStrategy[Pieces] = st.lists(st.tuples(st.sampled_from(_SPOKEN), st.text(max_size=20)), max_size=12)
usages = st.builds(Usage, st.integers(0, 10**6), st.integers(0, 10**6), estimated=st.booleans())
answers: st.SearchStrategy[list[StreamEvent]] = st.builds(answer, pieces, st.sampled_from(FinishReason), usages)


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
    st.tuples(st.sampled_from(_SPOKEN), st.text(max_size=20)),
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
