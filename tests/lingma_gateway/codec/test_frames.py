import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.codec.frames import MAX_HEADER_BYTES, FrameDecoder, FrameError, encode_frame

BODIES = [b'{"a":1}', b"", "思考".encode(), b"Content-Length: 3\r\n\r\nabc", b"x" * 50]
STREAM = b"".join(encode_frame(body) for body in BODIES)


def fed(chunks: list[bytes]) -> list[bytes]:
    decoder = FrameDecoder()
    bodies = [body for chunk in chunks for body in decoder.feed(chunk)]
    assert not decoder.pending
    return bodies


def in_chunks(stream: bytes, size: int) -> list[bytes]:
    return [stream[start : start + size] for start in range(0, len(stream), size)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, len(STREAM)])
def test_frames_are_the_same_in_chunks_of_any_size(size: int) -> None:
    assert fed(in_chunks(STREAM, size)) == BODIES


@pytest.mark.parametrize("cut", range(len(STREAM) + 1))
def test_frames_survive_every_split_in_two(cut: int) -> None:
    assert fed([STREAM[:cut], STREAM[cut:]]) == BODIES


@given(st.lists(st.binary(max_size=40)), st.lists(st.integers(min_value=0)))
def test_any_bodies_survive_any_splits(bodies: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(encode_frame(body) for body in bodies)
    bounds = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    assert fed([stream[start:end] for start, end in zip(bounds, bounds[1:], strict=False)]) == bodies


def test_a_frame_that_has_begun_is_pending_until_it_ends() -> None:
    decoder = FrameDecoder()
    assert not decoder.pending
    for byte in STREAM[: len(encode_frame(BODIES[0])) - 1]:
        assert decoder.feed(bytes([byte])) == []
        assert decoder.pending
    assert decoder.feed(b"}") == [BODIES[0]]
    assert not decoder.pending


@pytest.mark.parametrize(
    "header",
    [
        b"content-length: 2",
        b"CONTENT-LENGTH:2",
        b"Content-Length : 002 ",
        b"Content-Type: application/json\r\nContent-Length: 2",
        b"Content-Length: 2\r\nContent-Type: application/json; charset=utf-8",
        b"no colon\r\nContent-Length: 2",
    ],
)
def test_the_length_is_found_among_other_header_lines_in_any_case(header: bytes) -> None:
    assert fed([header + b"\r\n\r\nok"]) == [b"ok"]


@pytest.mark.parametrize("value", [b"", b"-1", b"+1", b"1.5", b"0x10", b"1 2", "²".encode(), "１".encode()])
def test_a_length_that_is_no_number_breaks_the_stream(value: bytes) -> None:
    with pytest.raises(FrameError, match="Content-Length is no number"):
        FrameDecoder().feed(b"Content-Length: " + value + b"\r\n\r\n")


@pytest.mark.parametrize("header", [b"", b"Content-Type: text/plain", b"Content-Lengths: 3", b'{"bare":"json"}'])
def test_a_header_without_a_length_breaks_the_stream(header: bytes) -> None:
    with pytest.raises(FrameError, match="no Content-Length"):
        FrameDecoder().feed(header + b"\r\n\r\n")


def test_a_body_of_exactly_the_limit_is_taken_and_a_longer_one_is_refused_by_its_header() -> None:
    decoder = FrameDecoder(max_body_bytes=8)
    assert decoder.feed(encode_frame(b"12345678")) == [b"12345678"]
    with pytest.raises(FrameError, match="9 bytes exceeds the limit of 8"):
        decoder.feed(b"Content-Length: 9\r\n\r\n")


@pytest.mark.parametrize("size", [1, 7, MAX_HEADER_BYTES + 100])
def test_a_header_of_exactly_the_limit_is_taken_in_chunks_of_any_size(size: int) -> None:
    length = b"\r\nContent-Length: 2"
    header = b"x" * (MAX_HEADER_BYTES - len(length)) + length
    assert fed(in_chunks(header + b"\r\n\r\nok", size)) == [b"ok"]
    with pytest.raises(FrameError, match=f"within {MAX_HEADER_BYTES} bytes"):
        fed(in_chunks(b"x" + header + b"\r\n\r\nok", size))


def test_a_stream_that_never_ends_its_header_is_refused() -> None:
    with pytest.raises(FrameError, match="no end of a frame's header"):
        FrameDecoder().feed(b"\0" * (MAX_HEADER_BYTES + 4))


def test_a_length_as_long_as_a_header_may_be_exceeds_the_limit_and_fails_no_other_way() -> None:
    with pytest.raises(FrameError, match="exceeds the limit"):
        FrameDecoder().feed(b"Content-Length: " + b"9" * (MAX_HEADER_BYTES - 16) + b"\r\n\r\n")


@given(st.lists(st.binary()))
def test_no_bytes_raise_anything_but_a_frame_error(chunks: list[bytes]) -> None:
    decoder = FrameDecoder()
    try:
        for chunk in chunks:
            decoder.feed(chunk)
    except FrameError as error:
        assert "frame" in str(error)
