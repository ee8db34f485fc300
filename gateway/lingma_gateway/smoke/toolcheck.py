"""Ten small tasks with 22 tools: how well a model calls in each grammar. Pure.

The tools are shaped like those of coding agents, and so is their number: Claude Code sends 22 when none is deferred.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lingma_gateway.conversation import Tool, ToolChoice
from lingma_gateway.smoke.report import Judgement, judged
from lingma_gateway.tools import CallClosed, CallFailed, CallParser, Grammar, ToolSet, describe, instructions


class Finding(StrEnum):
    """What came of a task."""

    VALID = "valid"
    REPAIRED = "repaired"
    """The right calls, after the gateway had mended them."""
    ASKED_AGAIN = "askedAgain"
    """The right calls, after the model had been told once what was wrong."""
    LOST = "lost"
    """A call that should have come did not, or not in a form that can be read."""
    FALSE = "false"
    """A call that nobody asked for."""


@dataclass(frozen=True, slots=True)
class Again:
    """The model is to be told what was wrong with its call."""

    question: str


@dataclass(frozen=True, slots=True)
class Task:
    """A prompt, and the calls that it asks for. None: it is to be answered in words."""

    prompt: str
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()

    def directives(self) -> list[str]:
        """What a simulated model is told to do."""
        called = [f"call {name} {json.dumps(arguments)}" for name, arguments in self.calls]
        return called or ["say As you wish."]

    def judge(self, text: str, *, cut: bool = False) -> Finding | Again:
        """What the model's answer is worth."""
        parser = CallParser(TOOLSET)
        pieces = [*parser.feed(text), *parser.finish(cut)]
        closed = [piece for piece in pieces if isinstance(piece, CallClosed)]
        failed = [piece for piece in pieces if isinstance(piece, CallFailed)]
        if not self.calls:
            return Finding.FALSE if closed or failed else Finding.VALID
        if failed:
            return Again(failed[0].ask) if failed[0].ask else Finding.LOST
        if any(call.tool.name not in dict(self.calls) for call in closed):
            return Finding.FALSE
        if not self._fits(closed):
            return Finding.LOST
        return Finding.REPAIRED if any(call.repaired for call in closed) else Finding.VALID

    def _fits(self, closed: Sequence[CallClosed]) -> bool:
        given = [(call.tool.name, json.loads(call.arguments)) for call in closed]
        return [(name, _told(arguments)) for name, arguments in given] == [
            (name, _told(arguments)) for name, arguments in self.calls
        ]


def _told(arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments but for what no prompt can fix: whether a text ends in a newline, and tools' own defaults."""
    return {
        name: value.rstrip("\n") if isinstance(value, str) else value
        for name, value in arguments.items()
        if name not in _FREE
    }


def question(grammar: Grammar, task: Task) -> str:
    """All that the model is told."""
    return "\n".join((instructions(grammar), describe(TOOLS).text, "", task.prompt))


def judgement(model: str, found: Iterable[tuple[Grammar, Finding]]) -> Judgement:
    """Of all tasks that were tried."""
    counted = Counter(found)
    tallies = {
        grammar.value: {finding.value: counted[grammar, finding] for finding in Finding}
        for grammar in Grammar
        if any(counted[grammar, finding] for finding in Finding)
    }
    words = [f"{grammar}: {_words(tally)}" for grammar, tally in tallies.items()]
    bad = [tally[Finding.LOST] + tally[Finding.FALSE] for tally in tallies.values()]
    best = min(bad, default=0)
    return judged(
        [f"{model}: {'; '.join(words)}"] if best else [],
        f"{model}: {'; '.join(words)}",
        toolCalls={"model": model, **tallies},
    )


def _words(tally: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in tally.items() if count)


_FREE = frozenset({"offset", "limit", "timeout_seconds"})
"""Arguments that a model may add."""
_TEXT, _INTEGER = {"type": "string"}, {"type": "integer"}


def _tool(name: str, description: str, required: dict[str, Any], optional: dict[str, Any] | None = None) -> Tool:
    schema = {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }
    return Tool(name, description, json.dumps(schema))


_TODO = {
    "type": "object",
    "properties": {"content": _TEXT, "status": {"type": "string", "enum": ["pending", "in_progress", "completed"]}},
    "required": ["content", "status"],
}
TOOLS = (
    _tool("read_file", "Read a file.", {"path": _TEXT}, {"offset": _INTEGER, "limit": _INTEGER}),
    _tool("write_file", "Write a whole file.", {"path": _TEXT, "content": _TEXT}),
    _tool("edit_file", "Replace text in a file.", {"path": _TEXT, "old_text": _TEXT, "new_text": _TEXT}),
    _tool("delete_file", "Delete a file.", {"path": _TEXT}),
    _tool("move_file", "Move or rename a file.", {"source": _TEXT, "target": _TEXT}),
    _tool("list_directory", "List a directory.", {"path": _TEXT}, {"recursive": {"type": "boolean"}}),
    _tool("find_files", "Find files by a glob pattern.", {"pattern": _TEXT}, {"path": _TEXT}),
    _tool(
        "search_text", "Search files by a regular expression.", {"pattern": _TEXT}, {"path": _TEXT, "limit": _INTEGER}
    ),
    _tool("run_command", "Run a command in a shell.", {"command": _TEXT}, {"timeout_seconds": {"type": "number"}}),
    _tool("read_output", "Read what a command in the background has written.", {"command_id": _TEXT}),
    _tool("stop_command", "Stop a command in the background.", {"command_id": _TEXT}),
    _tool("update_todos", "Replace the list of things to do.", {"todos": {"type": "array", "items": _TODO}}),
    _tool("fetch_url", "Fetch a web page as text.", {"url": _TEXT}),
    _tool("search_web", "Search the web.", {"query": _TEXT}),
    _tool("run_tests", "Run the tests of the project.", {}, {"path": _TEXT}),
    _tool("show_diff", "Show what has changed since the last commit.", {}, {"path": _TEXT}),
    _tool("commit", "Commit all changes.", {"message": _TEXT}),
    _tool("create_branch", "Create a branch and switch to it.", {"name": _TEXT}),
    _tool("start_agent", "Have another agent work on a task.", {"task": _TEXT}, {"model": _TEXT}),
    _tool("ask_user", "Ask the user a question.", {"question": _TEXT}),
    _tool("remember", "Remember a fact.", {"fact": _TEXT}),
    _tool("wait", "Do nothing for a while.", {"seconds": {"type": "number"}}),
)
TOOLSET = ToolSet.of(TOOLS, ToolChoice())

_SCRIPT = 'import sys\n\nif len(sys.argv) < 2 and True:\n    print("usage: greet \\"NAME\\"", file=sys.stderr)\n'
_COMMAND = "git log --format='%h %s' | head -n 3"
TASKS = (
    Task("Read the file src/main.py.", (("read_file", {"path": "src/main.py"}),)),
    Task(
        "Search all files for the regular expression TODO\\(\\w+\\).", (("search_text", {"pattern": r"TODO\(\w+\)"}),)
    ),
    Task(
        f"Write the file greet.py. Its content is what stands between the two lines of dashes.\n---\n{_SCRIPT}---",
        (("write_file", {"path": "greet.py", "content": _SCRIPT}),),
    ),
    Task(f"Run this command: {_COMMAND}", (("run_command", {"command": _COMMAND}),)),
    Task(
        'In config.yaml replace the text `level: "info"` by `level: "debug"`.',
        (("edit_file", {"path": "config.yaml", "old_text": 'level: "info"', "new_text": 'level: "debug"'}),),
    ),
    Task("Read a.txt and b.txt, both at once.", (("read_file", {"path": "a.txt"}), ("read_file", {"path": "b.txt"}))),
    Task(
        "Make a list of two things to do: first 'write', which is in progress, then 'test', which is pending.",
        (
            (
                "update_todos",
                {"todos": [{"content": "write", "status": "in_progress"}, {"content": "test", "status": "pending"}]},
            ),
        ),
    ),
    Task("Wait for two and a half seconds.", (("wait", {"seconds": 2.5}),)),
    Task("Without any tool: what is two plus two?"),
    Task("Explain in one sentence what the tool delete_file is for. Do not call it."),
)
