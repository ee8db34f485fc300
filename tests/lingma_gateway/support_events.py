"""The ordering law as a check, events that obey it, and texts cut into chunks."""

from collections.abc import Iterable

from hypothesis import strategies as st

from lingma_gateway.events import (
    Finished,
    FinishReason,
    PartDelta,
    PartEnded,
    PartKind,
    PartSequencer,
    PartStarted,
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
