"""Claude Code in print mode."""

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients import docs
from tests.clients.support import claude_code, run
from tests.lingma_gateway.api.conftest import Gateway

Ask = Callable[[str], Any]


@pytest.fixture
def ask(gateway: Gateway, tmp_path: Path) -> Ask:
    """Runs it with a prompt, in a folder and a home of its own; what it reports."""
    home, project = tmp_path / "home", tmp_path / "project"
    home.mkdir()
    project.mkdir()
    environment = {
        **docs.claude_code(gateway.url, gateway.key),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_ERROR_REPORTING": "1",
        "DISABLE_AUTOUPDATER": "1",
    }
    tools = ["--permission-mode", "acceptEdits", "--allowedTools", "Read", "Edit", "Write", "Bash"]

    def asked(prompt: str) -> Any:
        arguments = [claude_code(), "-p", prompt, *tools, "--output-format", "json"]
        return run(arguments, home, environment, cwd=project).json()

    return asked


def call(name: str, **arguments: str) -> str:
    """The directive that has the simulated model call a tool."""
    return f"@sim call {name} {json.dumps(arguments)}"


def test_it_answers_a_prompt(ask: Ask) -> None:
    report = ask("Answer this.\n@sim say The answer is 42.")
    assert report["result"] == "The answer is 42."
    assert not report["is_error"]


def test_it_reads_edits_runs_and_reports(ask: Ask, tmp_path: Path) -> None:
    project = tmp_path / "project"
    nonce = f"nonce-{secrets.token_hex(8)}"
    (project / "notes.txt").write_text(f"remember {nonce}\n")
    (project / "main.py").write_text('print("TODO")\n')
    steps = [
        f"Do this in {project}.",
        "@sim say I will read the notes first.",
        call("Read", file_path=f"{project}/notes.txt"),
        call("Read", file_path=f"{project}/main.py"),
        "@sim then",
        call("Edit", file_path=f"{project}/main.py", old_string="TODO", new_string="{{result:*:nonce-[0-9a-f]+}}"),
        "@sim then",
        call("Bash", command=f"python3 {project}/main.py", description="Run it"),
        "@sim then",
        "@sim say It printed {{result:4:nonce-[0-9a-f]+}}.",
    ]
    report = ask("\n".join(steps))
    assert (project / "main.py").read_text() == f'print("{nonce}")\n'
    assert report["result"] == f"It printed {nonce}."
    assert not report["is_error"]
