import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lingma_contract.masking import Masker
from lingma_gateway.capture.recording import Recording, opened
from lingma_gateway.codec.frames import encode_frame

ASK = encode_frame(
    '{"jsonrpc":"2.0","id":1,"method":"chat/ask","params":{"questionText":"héllo","token":"t-1"}}'.encode()
)
PING = encode_frame(b'{"jsonrpc":"2.0","id":2,"method":"ping","params":{}}')
NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def recording(*, keep_prompts: bool = False) -> tuple[Recording, io.StringIO]:
    file = io.StringIO()
    return Recording(file, Masker(keep_prompts=keep_prompts), lambda: NOON), file


def lines(file: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.getvalue().splitlines()]


@pytest.mark.parametrize("size", [1, 2, 3, 7, len(ASK + PING)])
def test_frames_are_found_however_they_were_split(size: int) -> None:
    tape, file = recording()
    data = ASK + PING
    for begin in range(0, len(data), size):
        tape.feed("in", 1, data[begin : begin + size])
    assert lines(file) == [
        {
            "time": "2026-05-01T12:00:00.000Z",
            "direction": "in",
            "connection": 1,
            "message": {
                "jsonrpc": "2.0",
                "id": 1,
                "method": "chat/ask",
                "params": {"questionText": "<text 5>", "token": "***"},
            },
        },
        {
            "time": "2026-05-01T12:00:00.000Z",
            "direction": "in",
            "connection": 1,
            "message": {"jsonrpc": "2.0", "id": 2, "method": "ping", "params": {}},
        },
    ]
    assert (tape.frames, tape.undecoded) == (2, 0)


def test_directions_and_connections_do_not_mix() -> None:
    tape, file = recording()
    tape.feed("in", 1, ASK[:30])
    tape.feed("out", 1, PING.decode())
    tape.feed("in", 2, PING)
    tape.feed("in", 1, ASK[30:])
    assert [(line["direction"], line["connection"]) for line in lines(file)] == [("out", 1), ("in", 2), ("in", 1)]


@pytest.mark.parametrize("body", [b"no json", b"[1]", b"null", b"[" * 100_000, b"\xff"])
def test_a_frame_that_is_no_message_is_counted_and_left_out(body: bytes) -> None:
    tape, file = recording()
    tape.feed("out", 1, encode_frame(body) + PING)
    assert (tape.frames, tape.undecoded) == (1, 1)
    assert len(lines(file)) == 1


def test_after_something_unframed_the_next_message_is_read_again() -> None:
    tape, _ = recording()
    tape.feed("in", 1, '{"bare": "json"}\r\n\r\n')
    tape.feed("in", 1, PING)
    assert (tape.frames, tape.undecoded) == (1, 1)


def test_a_frame_that_a_connection_broke_off_is_counted() -> None:
    tape, _ = recording()
    tape.feed("in", 1, ASK[:-3])
    tape.feed("out", 1, PING)
    tape.end(1)
    tape.end(2)
    assert (tape.frames, tape.undecoded) == (1, 1)


def test_half_a_character_does_not_break_the_file() -> None:
    tape, file = recording(keep_prompts=True)
    tape.feed("out", 1, encode_frame(b'{"method":"chat/answer","params":{"text":"\\ud83d"}}'))
    assert file.getvalue().isascii()
    assert lines(file)[0]["message"] == {"method": "chat/answer", "params": {"text": "\ud83d"}}


def test_a_recording_is_a_new_file_of_its_owner_and_closed_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "capture.jsonl"
    file = opened(path)
    with Recording(file, Masker()) as tape:
        tape.feed("in", 1, PING)
    assert file.closed
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text())["time"].endswith("Z")
    with pytest.raises(FileExistsError):
        opened(path)
