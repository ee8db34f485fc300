"""The figures that docs/tools.md states are those that the benchmark prints."""

import pytest

from tests.benchmarks.tools import __main__ as benchmark


def test_the_page_states_the_corpus_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    benchmark.corpus()
    printed = capsys.readouterr().out.splitlines()
    page = (benchmark.ROOT / "docs" / "tools.md").read_text(encoding="utf-8")
    stated = [
        line
        for line in page.splitlines()
        if line.split("|")[1:2] in ([" coder "], [" hermes "], [" all "], [" claude "])
    ]
    assert [line for line in stated if line not in printed] == []
    columns = printed[-1].split("|")
    assert columns[1].strip() == "all"
    assert columns[2] == columns[8]


def test_the_page_states_what_a_tool_costs(capsys: pytest.CaptureFixture[str]) -> None:
    benchmark.costs()
    page = (benchmark.ROOT / "docs" / "tools.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == 5
    for row in rows:
        assert any(
            line.startswith(f"| `{row[1].strip()}` |") and line.endswith(f"|{row[2]}|") for line in page.splitlines()
        )


def test_streams_are_the_same_for_the_parser_and_for_the_baseline() -> None:
    chunks = ["a ", "<b> ", "c"]
    assert benchmark.pass_through(chunks) == 3
    assert benchmark.parse(chunks) >= 1
    assert benchmark.best(lambda: None) >= 0
