"""Codex in its non-interactive mode."""

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients import docs
from tests.clients.support import codex, run
from tests.lingma_gateway.api.conftest import Gateway

Ask = Callable[[str], list[Any]]


@pytest.fixture
def ask(gateway: Gateway, tmp_path: Path) -> Ask:
    """Runs it with a prompt, in a folder and a home of its own; the items that it reports."""
    home, project = tmp_path / "home", tmp_path / "project"
    (home / ".codex").mkdir(parents=True)
    project.mkdir()
    unattended = 'approval_policy = "never"\nsandbox_mode = "danger-full-access"\n'
    (home / ".codex" / "config.toml").write_text(unattended + docs.codex(gateway.url))
    environment = {"CODEX_HOME": str(home / ".codex"), "LINGMA_API_KEY": gateway.key}

    def asked(prompt: str) -> list[Any]:
        arguments = [codex(), "exec", "--skip-git-repo-check", "--json", prompt]
        reported = run(arguments, home, environment, cwd=project).json_lines()
        return [line["item"] for line in reported if line["type"] == "item.completed"]

    return asked


def messages(items: list[Any]) -> list[str]:
    return [item["text"] for item in items if item["type"] == "agent_message"]


def call(command: str) -> str:
    """The directive that has the simulated model call Codex's shell."""
    return f"@sim call exec_command {json.dumps({'cmd': command})}"


def test_it_answers_a_prompt(ask: Ask) -> None:
    assert messages(ask("Answer this.\n@sim say The answer is 42.")) == ["The answer is 42."]


def test_it_reads_edits_runs_and_reports(ask: Ask, tmp_path: Path) -> None:
    project = tmp_path / "project"
    nonce = f"nonce-{secrets.token_hex(8)}"
    (project / "notes.txt").write_text(f"remember {nonce}\n")
    (project / "main.py").write_text('print("TODO")\n')
    steps = [
        f"Do this in {project}.",
        "@sim say I will read the notes first.",
        call(f"cat {project}/notes.txt"),
        "@sim then",
        call(f"sed -i s/TODO/{{{{result:1:nonce-[0-9a-f]+}}}}/ {project}/main.py"),
        "@sim then",
        call(f"python3 {project}/main.py"),
        "@sim then",
        "@sim say It printed {{result:3:nonce-[0-9a-f]+}}.",
    ]
    items = ask("\n".join(steps))
    assert (project / "main.py").read_text() == f'print("{nonce}")\n'
    assert messages(items)[-1] == f"It printed {nonce}."
