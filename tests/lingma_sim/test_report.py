import json
from typing import Any

import pytest

from lingma_sim.faults import Chosen
from lingma_sim.report import Report, ReportError, parse


def report(**fields: Any) -> Report:
    return parse(json.dumps(fields))


def test_an_empty_report_changes_nothing() -> None:
    assert report(steps=[{"name": "initialize", "finding": "as documented"}]) == Report()


def test_a_report_is_read_into_what_is_imitated() -> None:
    read = report(
        lingmaVersion="2.12.0",
        auth={"status": 2, "whitelist": 3},
        models=["org_auto", {"key": "kmodel", "displayName": "K"}],
        latency={"initializeMs": 1500, "firstTokenMs": 250, "chunkMs": 10},
        concurrentTurns=1,
        askReply="never",
    )
    assert (read.version, read.first_token_seconds, read.chunk_seconds) == ("2.12.0", 0.25, 0.01)
    assert read.models is not None
    assert [model["key"] for model in read.models["chat"]] == ["org_auto", "kmodel"]
    assert read.faults == (
        Chosen("status", "2"),
        Chosen("whitelist", "3"),
        Chosen("slow-initialize", "1.5"),
        Chosen("serial", "queue"),
        Chosen("ask-reply", "never"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[" * 99_999,
        "[]",
        '{"lingmaVersion": 2}',
        '{"models": {}}',
        '{"models": [7]}',
        '{"models": [{"key": 7}]}',
        '{"auth": []}',
        '{"auth": {"status": 8}}',
        '{"auth": {"whitelist": "3"}}',
        '{"latency": {"chunkMs": "fast"}}',
        '{"latency": {"chunkMs": true}}',
        '{"latency": {"chunkMs": -1}}',
    ],
)
def test_what_is_no_report_is_refused(text: str) -> None:
    with pytest.raises(ReportError):
        parse(text)
