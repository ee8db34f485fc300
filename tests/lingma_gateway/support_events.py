"""The ordering law as a check, events that obey it, and texts cut into chunks."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

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
Parts = Sequence[tuple[PartKind | Call | Result, str]]
"""Text and reasoning by their kind, calls and results by their heads."""


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


def answer(pieces: Parts, reason: FinishReason = FinishReason.STOP, usage: Usage | None = None) -> list[StreamEvent]:
    """A whole answer of these pieces, by the sequencer."""
    parts = PartSequencer()
    body = [event for what, text in pieces for event in _events(parts, what, text)]
    finished = Finished(reason, usage or Usage(3, 5, estimated=True), "session-1")
    return [Started("org_auto"), *body, *parts.close(), finished]


def _events(parts: PartSequencer, what: PartKind | Call | Result, text: str) -> list[StreamEvent]:
    if isinstance(what, PartKind):
        return parts.delta(what, text)
    kind = PartKind.TOOL_CALL if isinstance(what, Call) else PartKind.TOOL_RESULT
    middle = len(text) // 2
    return [*parts.begin(what), *parts.delta(kind, text[:middle]), *parts.delta(kind, text[middle:])]


def calls_of(events: Iterable[StreamEvent]) -> list[tuple[Call, str]]:
    """Every call with the whole of its arguments."""
    found: list[tuple[Call, str]] = []
    for event in events:
        match event:
            case PartStarted(_, _, Call() as call):
                found.append((call, ""))
            case PartDelta(_, PartKind.TOOL_CALL, text):
                found[-1] = (found[-1][0], found[-1][1] + text)
    return found


_SPOKEN = (PartKind.TEXT, PartKind.REASONING)
pieces: st.SearchStrategy[Pieces] = st.lists(st.tuples(st.sampled_from(_SPOKEN), st.text(max_size=20)), max_size=12)
usages = st.builds(
    Usage, st.integers(0, 10**6), st.integers(0, 10**6), estimated=st.booleans(), reasoning_tokens=st.integers(0, 99)
)
_spoken = st.tuples(st.sampled_from(_SPOKEN), st.text(max_size=20))
_names = st.text("abcXYZ_-09", min_size=1, max_size=10)
_called = st.tuples(st.builds(Call, st.just(""), _names, custom=st.booleans()), st.text(max_size=20))
_executed = st.tuples(
    st.builds(Call, st.just(""), _names, executed=st.just(True)),
    st.text(max_size=20),
    st.booleans(),
    st.text(max_size=9),
)


def _numbered(drawn: list[Any]) -> list[tuple[PartKind | Call | Result, str]]:
    """Pieces whose calls have ids of their own; the result of an executed call follows it."""
    made: list[tuple[PartKind | Call | Result, str]] = []
    for number, (what, text, *result) in enumerate(drawn):
        made.append((replace(what, id=f"call_{number}") if isinstance(what, Call) else what, text))
        if result:
            made.append((Result(f"call_{number}", is_error=result[0]), result[1]))
    return made


tool_pieces = st.lists(st.one_of(_spoken, _called, _executed), max_size=10).map(_numbered)
answers: st.SearchStrategy[list[StreamEvent]] = st.builds(answer, tool_pieces, st.sampled_from(FinishReason), usages)
"""Whole answers with text, reasoning, calls of the client's tools, and calls of Lingma's own with their results."""


def cuts(text: str) -> st.SearchStrategy[list[str]]:
    """`text` in chunks of any size."""
    places = st.lists(st.integers(0, len(text)), max_size=len(text)).map(sorted)
    return places.map(lambda at: [text[i:j] for i, j in zip([0, *at], [*at, len(text)], strict=True)])


@st.composite
def cut_pieces(draw: st.DrawFn, whole: Pieces) -> Pieces:
    """The same pieces, each in chunks of any size."""
    return [(kind, chunk) for kind, text in whole for chunk in draw(cuts(text)) if chunk]


def joined(pieces: Pieces) -> Pieces:
    """Pieces of one kind in a row as one; without empty ones."""
    out: Pieces = []
    for kind, text in pieces:
        if out and out[-1][0] is kind:
            out[-1] = (kind, out[-1][1] + text)
        elif text:
            out.append((kind, text))
    return out


def parts_of(events: Iterable[StreamEvent]) -> Pieces:
    """Kind and text of each part."""
    parts: Pieces = []
    for event in events:
        if isinstance(event, PartStarted):
            parts.append((event.kind, ""))
        elif isinstance(event, PartDelta):
            parts[-1] = (event.kind, parts[-1][1] + event.text)
    return parts
