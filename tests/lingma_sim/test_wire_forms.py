import json
import re

import pytest

from lingma_sim import wire
from lingma_sim.faults import KINDS
from lingma_sim.frames import Frame, FrameDecoder, Refused


@pytest.mark.parametrize("form", KINDS["odd-headers"].choices)
def test_an_odd_header_is_a_header(form: str) -> None:
    body = '{"ü":1}'.encode()
    for number in range(len(wire.HEADER_FORMS)):
        assert FrameDecoder().feed(wire.headed(body, form, number).encode()) == [Frame(body)]


def test_all_goes_through_the_forms() -> None:
    made = {wire.headed(b"{}", "all", number) for number in range(12)}
    assert made == {form.format(2) + "{}" for form in wire.HEADER_FORMS.values()}


def test_cutting_loses_nothing() -> None:
    assert wire.cut("abcdefg", 3) == ["abc", "def", "g"]


def test_the_malformed_frames_are_those_of_the_fault() -> None:
    assert set(wire.MALFORMED_FRAMES) == set(KINDS["malformed-frame"].choices)
    assert set(wire.MALFORMED_BODIES) == set(KINDS["malformed-json"].choices)


@pytest.mark.parametrize("kind", ["bare", "length", "nolength", "huge"])
def test_a_frame_with_a_malformed_header_is_refused(kind: str) -> None:
    [item] = FrameDecoder().feed(wire.MALFORMED_FRAMES[kind].encode())
    assert isinstance(item, Refused)


def test_a_frame_of_a_wrong_length_spoils_the_next() -> None:
    short = FrameDecoder().feed(wire.MALFORMED_FRAMES["short"].encode())
    assert isinstance(short[0], Frame)
    with pytest.raises(json.JSONDecodeError):
        json.loads(short[0].body)
    assert isinstance(short[1], Refused)
    assert FrameDecoder().feed(wire.MALFORMED_FRAMES["long"].encode()) == []


def test_only_the_syntax_kind_is_no_json() -> None:
    for kind, body in wire.MALFORMED_BODIES.items():
        if kind == "syntax":
            assert not re.search(r"}$", body)
        else:
            json.loads(body)
