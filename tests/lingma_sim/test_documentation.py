import re
from pathlib import Path

import pytest

from lingma_sim import cli, directives
from lingma_sim.methods import METHODS

PAGE = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_on_the_page(method: str) -> None:
    assert f"`{method}`" in PAGE


def test_every_flag_of_start_is_on_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["start", "--help"])
    flags = set(re.findall(r"--[a-zA-Z]+", capsys.readouterr().out)) - {"--help"}
    assert flags
    assert [flag for flag in sorted(flags) if f"`{flag}`" not in PAGE] == []


def test_the_directives_on_the_page_are_known() -> None:
    lines = re.findall(r"^\| `@sim ([^`]+)`", PAGE, re.MULTILINE)
    assert len(lines) == 13
    for line in lines:
        example = line.replace("{json}", "{}").replace("CODE", "1").replace(" N", " 1").replace(" MS", " 1")
        example = "tool NAME {}" if line.startswith("tool ") else example
        [directive] = directives.parse(f"@sim {example}")
        assert not isinstance(directive, directives.Unknown)
