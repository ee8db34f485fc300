"""Frames as the library makes them, cut anywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

from lingma_gateway.codec.websocket import FrameSplitter, Other, masked_text

MAX = 100_000


def frame(opcode: Opcode, data: bytes, *, fin: bool = True, mask: bool = False) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=mask)


def split(stream: bytes, size: int, max_bytes: int = MAX) -> list[bytes | Other]:
    splitter = FrameSplitter(max_bytes)
    return [item for start in range(0, len(stream), size) for item in splitter.feed(stream[start : start + size])]


PING = frame(Opcode.PING, b"are you there")
PIECES = [
    frame(Opcode.TEXT, b"a", fin=False),
    frame(Opcode.CONT, b"b", fin=False),
    PING,
    frame(Opcode.CONT, b"c"),
]
"""A message in fragments, between which a control frame may stand."""
CLOSE = frame(Opcode.CLOSE, b"\x03\xe8")
PAYLOADS = [b"", b"x", b"y" * 125, b"z" * 126, b"w" * 65535, b"v" * 65536]
STREAM = b"".join(
    [*(frame(Opcode.TEXT, payload) for payload in PAYLOADS), PING, *PIECES, frame(Opcode.BINARY, b"b"), CLOSE]
)
MEANT = [*PAYLOADS, Other(PING), *map(Other, PIECES), b"b", Other(CLOSE)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000, len(STREAM)])
def test_whole_messages_are_told_from_all_else_however_the_bytes_are_cut(size: int) -> None:
    assert split(STREAM, size) == MEANT


@given(st.lists(st.tuples(st.sampled_from([Opcode.TEXT, Opcode.BINARY]), st.binary(max_size=300))), st.integers(1, 90))
def test_any_messages_survive_any_splits(messages: list[tuple[Opcode, bytes]], size: int) -> None:
    stream = b"".join(frame(opcode, data) for opcode, data in messages)
    assert split(stream, size) == [data for _, data in messages]


def test_a_text_frame_between_fragments_is_left_to_the_library_which_refuses_it() -> None:
    wrong = frame(Opcode.TEXT, b"not allowed here")
    assert split(PIECES[0] + wrong, 1000) == [Other(PIECES[0]), Other(wrong)]


@pytest.mark.parametrize("size", [1, 2, 64_000])
@pytest.mark.parametrize(
    "wrong", [*(frame(Opcode.TEXT, b"x" * length, mask=True) for length in (3, 300, 70_000)), b"\xff\x01x", b"\x83\0"]
)
def test_from_a_wrong_frame_on_all_is_left_to_the_library_which_refuses_it(wrong: bytes, size: int) -> None:
    items = split(frame(Opcode.TEXT, b"good") + wrong + frame(Opcode.TEXT, b"later"), size)
    assert items[0] == b"good"
    rest = b"".join(item.raw for item in items[1:] if isinstance(item, Other))
    assert rest == wrong + frame(Opcode.TEXT, b"later")


@pytest.mark.parametrize("size", [1, 1000])
def test_a_frame_that_is_too_long_is_not_waited_for_and_nothing_after_it_is_read(size: int) -> None:
    good, wrong, later = frame(Opcode.TEXT, b"x" * 200), frame(Opcode.TEXT, b"x" * 201), frame(Opcode.TEXT, b"x")
    items = split(good + wrong[:10] + later, size, max_bytes=200)
    assert items[0] == b"x" * 200
    rest = [item.raw for item in items[1:] if isinstance(item, Other)]
    assert (b"".join(rest), len(rest)) == (wrong[:10] + later, len(items) - 1)


@given(st.lists(st.binary(max_size=40)))
def test_no_bytes_raise_anything_or_are_lost_where_they_cannot_be_followed(chunks: list[bytes]) -> None:
    splitter = FrameSplitter(30)
    found = [item for chunk in chunks for item in splitter.feed(chunk)]
    assert sum(len(item.raw if isinstance(item, Other) else item) for item in found) <= sum(map(len, chunks))


@given(st.binary(max_size=300) | st.sampled_from([b"x" * 65535, b"x" * 65536]), st.binary(min_size=4, max_size=4))
def test_a_server_reads_what_was_masked(payload: bytes, key: bytes) -> None:
    server = Protocol(side=Side.SERVER, state=State.OPEN)
    server.receive_data(masked_text(payload, key))
    (received,) = server.events_received()
    assert received == Frame(Opcode.TEXT, payload)
