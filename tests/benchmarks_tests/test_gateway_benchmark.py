"""That the benchmark works and counts every event; it measures nothing here."""

import json
import re
from pathlib import Path

import pytest

from tests.benchmarks.gateway import __main__ as command
from tests.benchmarks.gateway import processes, stages, wire

FIGURES = ("cpu_us_per_event", "delay_p50_us", "delay_p99_us", "first_byte_p50_us", "events_per_s", "core_used")


def test_every_event_of_the_floor_and_the_gateway_is_counted_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stages, "QUICK", stages.TINY)
    written = tmp_path / "figures.json"
    assert command.main(["--quick", "--json", str(written)]) == 0
    measured = json.loads(written.read_text())
    plan = stages.TINY
    alone, paced, unpaced = plan.alone * 3, 3 * int(plan.seconds * 1000 / plan.pace_ms), plan.unpaced_events
    for name in stages.SUBJECTS:
        figures = measured[name]
        short = figures["short"]["requests"] * plan.short_events
        assert figures["pushed"] == figures["received"] == alone + short + paced + unpaced
        assert all(figures[stage]["3"][figure] > 0 for stage in ("paced", "unpaced") for figure in FIGURES)
    # The floor acknowledges nothing; the gateway each push.
    assert measured["floor"]["acknowledged"] == 0
    assert measured["gateway"]["acknowledged"] == measured["gateway"]["pushed"]
    table = capsys.readouterr().out
    assert re.search(r"paced, 3 streams: CPU per event, µs +\d+\S* +\d+\S* +\d+\.\d\d\n", table)


def test_the_page_says_how_to_run_it(capsys: pytest.CaptureFixture[str]) -> None:
    page = (processes.ROOT / "docs" / "benchmarks.md").read_text()
    (block,) = re.findall(r"(?ms)^```sh\n(.*?)^```", page)
    assert block == ".venv/bin/python -m tests.benchmarks.gateway\n"
    with pytest.raises(SystemExit):
        command.main(["--help"])
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help"}
    assert options == set(re.findall(r"`(--[a-z]+)", page))


@pytest.mark.parametrize("order", [wire.Order(250, 20_000, 500), wire.Order(3, 0, 1)])
def test_an_order_is_read_from_its_question_whatever_stands_around_it(order: wire.Order) -> None:
    assert wire.Order.read(f"[user]\n{order.question()}\n") == order


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_frames_are_read_however_they_are_cut(size: int) -> None:
    payloads = [b"a", b"b" * 200, b"c" * 70_000, b"d"]
    stream = b"".join(map(wire.text_frame, payloads)) + b"".join(map(wire.masked_frame, payloads))
    frames = wire.Frames()
    found = [each for start in range(0, len(stream), size) for each in frames.feed(stream[start : start + size])]
    assert found == payloads * 2


def test_the_mask_of_a_client_is_taken_off() -> None:
    assert wire.Frames().feed(
        b"\x81\x85\x01\x02\x03\x04" + bytes([ord("h") ^ 1, ord("e") ^ 2, ord("l") ^ 3, ord("l") ^ 4, ord("o") ^ 1])
    ) == [b"hello"]
