import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_sim.frames import MAX_BODY_BYTES, MAX_HEADER_BYTES, Frame, FrameDecoder, Refused, encode

BODIES = [b"{}", '{"text":"grüße 你好"}'.encode(), b"", b"x" * 300]
STREAM = b"".join(encode(body) for body in BODIES)


def decoded(chunks: list[bytes]) -> list[Frame | Refused]:
    decoder = FrameDecoder()
    return [item for chunk in chunks for item in decoder.feed(chunk)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, len(STREAM)])
def test_frames_are_found_at_any_chunk_size(size: int) -> None:
    chunks = [STREAM[start : start + size] for start in range(0, len(STREAM), size)]
    assert decoded(chunks) == [Frame(body) for body in BODIES]


@given(st.lists(st.binary(max_size=60), max_size=5), st.data())
def test_frames_survive_any_splitting(bodies: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(encode(body) for body in bodies)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    edges = [0, *cuts, len(stream)]
    chunks = [stream[left:right] for left, right in zip(edges, edges[1:], strict=False)]
    assert decoded(chunks) == [Frame(body) for body in bodies]


@given(st.lists(st.binary(max_size=80), max_size=5))
def test_no_bytes_break_the_decoder(chunks: list[bytes]) -> None:
    for item in decoded(chunks):
        assert isinstance(item, Frame | Refused)


@pytest.mark.parametrize(
    ("header", "body"),
    [
        (b"content-length: 2", b"{}"),
        (b"Content-Type: application/json\r\nContent-Length:2", b"{}"),
        (b"CONTENT-LENGTH:  2 ", b"{}"),
    ],
)
def test_other_headers_and_other_spellings_are_accepted(header: bytes, body: bytes) -> None:
    assert decoded([header + b"\r\n\r\n" + body]) == [Frame(body)]


@pytest.mark.parametrize(
    "data",
    [
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{}}',
        b" Content-Length: 2\r\n\r\n{}",
        b"Content-Type: x\r\n\r\n{}",
        b"Content-Length: two\r\n\r\n{}",
        b"Content-Length: -2\r\n\r\n{}",
        b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        b"Content-Length: 2\r\nnonsense\r\n\r\n{}",
    ],
)
def test_what_is_no_frame_is_an_unknown_header(data: bytes) -> None:
    assert decoded([data]) == [Refused("Unknown message header")]


def test_a_frame_after_refused_bytes_is_read() -> None:
    assert decoded([b"{}", encode(b"{}")]) == [Refused("Unknown message header"), Frame(b"{}")]


def test_a_header_without_end_is_refused_at_the_limit() -> None:
    decoder = FrameDecoder()
    assert decoder.feed(b"X-Long: " + b"a" * (MAX_HEADER_BYTES - 8)) == []
    assert decoder.feed(b"a") == [Refused("message header too long")]


def test_a_body_beyond_the_limit_is_refused_before_it_arrives() -> None:
    assert decoded([b"Content-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1)]) == [Refused("message body too long")]
