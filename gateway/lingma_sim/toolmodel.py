"""The simulated model with tools: which step of its script it has reached, from what it was told. Pure.

A script is the last block of directives of a conversation, cut in steps by `@sim then`. The model goes on to the next
step when the results of the calls of this one have come: as a reply in its session, or in a transcript of everything,
whichever way the client chose. Asked again without a result it writes the same calls once more, cleanly.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lingma_sim import directives, sloppy, toolforms
from lingma_sim.directives import CallTool, Directive, Form, Sloppy, Stubborn, Then
from lingma_sim.toolforms import Call

_RESULT = re.compile(r"<tool_response\b[^>\n]*>\n?(?P<text>.*?)\n?</tool_response>", re.DOTALL)
"""A result as chat templates of Qwen give it to the model, with attributes or without."""
_PLACE = re.compile(r"\{\{result(?::(?P<number>\d+|\*))?(?::(?P<pattern>[^}]+))?\}\}")


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done now."""

    directives: tuple[Directive, ...]
    results: tuple[str, ...]
    """Of all calls of the script so far."""
    asked_again: bool
    """The step has been done before, and no result came of it."""


def step(questions: Sequence[str]) -> Step | None:
    """The step that the last of a session's questions asks for; None where no script is under way."""
    start, block, tail = _block(questions)
    if start is None:
        return None
    steps = _steps(block)
    results = _results(tail)
    position = _after(steps, 0, len(results))
    asked_again = False
    for question in questions[start + 1 :]:
        told = _results(question)
        results += told
        if told:
            position = _after(steps, 0, len(results))
        asked_again = not told and position < len(steps) and _calls(steps[position]) > 0
        if not told and not asked_again:
            position += 1
    if position >= len(steps):
        return None
    return Step(steps[position], tuple(results), asked_again)


def _block(questions: Sequence[str]) -> tuple[int | None, tuple[Directive, ...], str]:
    """Where the last block of directives stands, the block, and what follows it in its question."""
    for number in range(len(questions) - 1, -1, -1):
        # A result may quote directives: a tool read the file of a prompt.
        spoken = _RESULT.sub(lambda found: "\n" * found[0].count("\n"), questions[number])
        block, end = directives.parse_with_end(spoken)
        if block:
            return number, block, "\n".join(questions[number].split("\n")[end:])
    return None, (), ""


def _steps(block: Sequence[Directive]) -> list[tuple[Directive, ...]]:
    steps: list[list[Directive]] = [[]]
    for directive in block:
        if isinstance(directive, Then):
            steps.append([])
        else:
            steps[-1].append(directive)
    return [tuple(each) for each in steps]


def _calls(step: Sequence[Directive]) -> int:
    return sum(isinstance(directive, CallTool) for directive in step)


def _results(text: str) -> list[str]:
    return [found["text"] for found in _RESULT.finditer(text)]


def _after(steps: Sequence[Sequence[Directive]], position: int, results: int) -> int:
    """The step that is reached when so many results have come."""
    while position < len(steps):
        needed = _calls(steps[position])
        if results < needed or not results:
            break
        results -= needed
        position += 1
    return position


def written(step: Step, questions: Sequence[str]) -> str | None:
    """The calls of a step as text; None where it has none."""
    calls = [_call(directive, step.results) for directive in step.directives if isinstance(directive, CallTool)]
    if not calls:
        return None
    unknown = [call.name for call in calls if not _described(call.name, questions)]
    if unknown:
        return f"I know of no tool {', '.join(unknown)}."
    form = next((each.name for each in step.directives if isinstance(each, Form)), directives.AUTO)
    if form == directives.AUTO:
        form = instructed(questions)
    stubborn = any(isinstance(each, Stubborn) for each in step.directives)
    spoilt = next((each.variant for each in step.directives if isinstance(each, Sloppy)), None)
    if spoilt is None or (step.asked_again and not stubborn):
        return toolforms.write(form, calls)
    return sloppy.write(spoilt, form, calls)


def _call(directive: CallTool, results: Sequence[str]) -> Call:
    arguments = {key: filled(value, results) for key, value in directive.arguments.items()}
    return Call(directive.name, arguments)


def filled(value: Any, results: Sequence[str]) -> Any:
    """`value` with `{{result}}`, `{{result:N}}` and `{{result:N:REGEX}}` replaced: the last result, the Nth, a part.

    `*` for N is all of them, since a client may give the results of one answer in any order.
    """
    if isinstance(value, str):
        return _PLACE.sub(lambda place: _place(place, results), value)
    if isinstance(value, list):
        return [filled(item, results) for item in value]
    if isinstance(value, dict):
        return {key: filled(item, results) for key, item in value.items()}
    return value


def _place(place: re.Match[str], results: Sequence[str]) -> str:
    if place["number"] == "*":
        text = "\n".join(results)
    else:
        number = int(place["number"]) if place["number"] else len(results)
        if not 1 <= number <= len(results):
            return ""
        text = results[number - 1]
    if not place["pattern"]:
        return text
    try:
        found = re.search(place["pattern"], text)
    except re.error:
        return f"bad pattern: {place['pattern']}"
    return found[found.re.groups and 1] if found else ""


def instructed(questions: Sequence[str]) -> str:
    """The form in which the conversation says calls are to be written."""
    text = "\n".join(questions)
    return "hermes" if '{"name"' in text and "<function=" not in text else "coder"


def _described(name: str, questions: Sequence[str]) -> bool:
    """Whether the tool is told of outside of directives: a model calls only what it knows."""
    word = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-])")
    return any(word.search(directives.without(question)) for question in questions)


def speaking(step: Step) -> Step:
    """The step with the results filled in where its text names them."""
    said = tuple(
        replace(each, text=filled(each.text, step.results)) if isinstance(each, directives.Say) else each
        for each in step.directives
    )
    return replace(step, directives=said)
