"""Every output of the corpus means what it says there, however its stream is cut."""

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from lingma_gateway.conversation import Text, ToolResult
from lingma_gateway.events import PartKind
from lingma_gateway.lingma.updates import ANSWER, Anew, AnswerReader
from lingma_gateway.tools import CallClosed, results_text
from tests.lingma_gateway.support_tools import TOOLSETS, Part, in_chunks, in_random_chunks, parsed, parts

FOLDER = Path(__file__).parent / "corpus"
SPECIAL = "special.yaml"
CATEGORIES = range(1, 70)
"""Those of the requirements: what models do with tools."""


@cache
def entries(*names: str) -> list[dict[str, Any]]:
    files = [FOLDER / name for name in names] or sorted(FOLDER.glob("*.yaml"))
    return [entry for file in files for entry in yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)]


OUTPUTS = [entry for file in sorted(FOLDER.glob("*.yaml")) if file.name != SPECIAL for entry in entries(file.name)]


def expected(written: list[Any]) -> list[Part]:
    return [_part(part) for part in written]


def _part(written: Any) -> Part:
    if written == "L":
        return ("L",)
    ((kind, value),) = written.items()
    if kind == "C":
        ((name, arguments),) = value.items()
        return ("C", name, list(arguments.items()) if isinstance(arguments, dict) else arguments)
    if kind == "A":
        reason, _, field = value.partition(" ")
        return ("A", reason, field)
    return (kind, value)


def test_the_corpus_is_large_and_every_category_is_in_it() -> None:
    assert len(OUTPUTS) >= 200
    assert {number for entry in entries() for number in entry["category"]} == set(CATEGORIES)


def test_every_case_has_a_name_of_its_own() -> None:
    names = Counter((entry["form"], entry["case"]) for entry in entries())
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("entry", OUTPUTS, ids=[f"{entry['form']}: {entry['case']}" for entry in OUTPUTS])
def test_an_output_means_its_parts_at_every_size_of_chunks(entry: dict[str, Any]) -> None:
    toolset, text, cut = TOOLSETS[entry.get("mode", "auto")], entry["output"], entry.get("cut", False)
    whole = parsed(toolset, [text], cut=cut)
    assert parts(whole) == expected(entry["parts"])
    streams = [in_chunks(text, size) for size in (1, 2, 3, 7)] + [in_random_chunks(text, seed) for seed in (1, 2)]
    for stream in streams:
        assert parsed(toolset, stream, cut=cut) == whole


RESULTS = [entry for entry in entries(SPECIAL) if entry.get("through") == "result"]


@pytest.mark.parametrize("entry", RESULTS, ids=[entry["case"] for entry in RESULTS])
def test_markers_in_a_result_are_inert(entry: dict[str, Any]) -> None:
    shown = results_text([ToolResult("call_1", (Text(entry["output"]),))], {"call_1": "run"})
    assert any(part[0] != "T" for part in parts(parsed(TOOLSETS["auto"], [entry["output"]])))
    assert parts(parsed(TOOLSETS["auto"], in_chunks(shown, 3))) == [("T", shown)]


OVERWRITTEN = {entry["case"]: entry for entry in entries(SPECIAL) if "overwrite" in entry}


def told(entry: dict[str, Any]) -> list[tuple[PartKind, str]] | Anew:
    """What is read when Lingma replaces an answer of which some was told."""
    reader = AnswerReader()
    assert reader.read(ANSWER, {"text": entry["output"]}) == [(PartKind.TEXT, entry["output"])]
    return reader.read(ANSWER, {"text": entry["overwrite"], "overwrite": True})


def test_an_answer_that_takes_back_what_was_handed_out_begins_anew_which_a_stream_cannot() -> None:
    # That a stream then breaks off is in tests/matrix: overwrite=replace.
    entry = OVERWRITTEN["the answer is replaced by another one after a call was handed out"]
    assert isinstance(told(entry), Anew)


def test_an_answer_that_is_replaced_by_a_longer_one_goes_on() -> None:
    entry = OVERWRITTEN["the answer is replaced by a longer one"]
    rest = told(entry)
    assert isinstance(rest, list)
    texts = [entry["output"], *(text for _, text in rest)]
    assert parts(parsed(TOOLSETS["auto"], texts)) == [("C", "now", [])]


LARGE = [entry for entry in entries(SPECIAL) if "repeat" in entry]


@pytest.mark.parametrize("size", [64, 4096, 10**9])
@pytest.mark.parametrize("entry", LARGE, ids=[entry["case"] for entry in LARGE])
def test_a_large_argument_comes_back_whole(entry: dict[str, Any], size: int) -> None:
    before, _, rest = entry["output"].partition("{{")
    line, _, after = rest.partition("}}")
    text = before + line * entry["repeat"] + after
    assert len(text) > 900_000
    *_, closed = parsed(TOOLSETS["auto"], in_chunks(text, size))
    assert isinstance(closed, CallClosed)
    value = line if entry["form"] == "coder" else json.loads(f'"{line}"')
    assert json.loads(closed.arguments) == {"cmd": value * entry["repeat"]}
