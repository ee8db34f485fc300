"""The pages of the commands name every option of theirs, and none that is not there."""

import re
from pathlib import Path

import pytest

from lingma_gateway import cli

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize(
    ("page", "command"),
    [
        ("sessions.md", ["session", "pack"]),
        ("sessions.md", ["session", "restore"]),
        ("sessions.md", ["session", "inspect"]),
        ("bootstrap.md", ["bootstrap"]),
        ("capture.md", ["record"]),
        ("admin.md", ["smoke"]),
    ],
)
def test_every_option_of_a_command_is_on_its_page(
    page: str, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main([*command, "--help"])
    options = set(re.findall(r"--[a-z0-9-]+", capsys.readouterr().out)) - {"--help"}
    text = (DOCS / page).read_text()
    assert [option for option in sorted(options) if not re.search(rf"`?{option}\b", text)] == []
