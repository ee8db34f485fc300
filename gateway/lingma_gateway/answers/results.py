"""Which results of tools a request brings, and whether each is the one that was waited for. Pure.

All of them are shown to the model, where the client put them. This only tells them apart, for whoever looks for a call
that got lost.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lingma_gateway.conversation import Message, Role, Text, ToolCall, ToolResult


class Arrival(StrEnum):
    """How a result arrived. The values are labels of logs."""

    OK = "ok"
    ERROR = "error"
    """The client says that its tool failed."""
    LATE = "late"
    """Its call is not of the model's last answer."""
    REPEATED = "repeated"
    """There is a result for its call already."""
    UNKNOWN = "unknown"
    """No call of the conversation has its id."""
    MISSING = "missing"
    """A call of the model's last answer has none."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """One result, or the want of one."""

    call_id: str
    name: str
    """Of the tool; empty where nobody says it."""
    arrival: Arrival
    text: str = ""
    """What of it is text."""


def arrived(messages: Sequence[Message]) -> list[Arrived]:
    """The results since the model's last answer, in their order, then those that it waits for."""
    answers = [at for at, message in enumerate(messages) if message.role is Role.ASSISTANT]
    if not answers:
        return []
    names = {call.id: call.name for call in _calls(messages)}
    waited_for = {call.id: call.name for call in _calls([messages[answers[-1]]])}
    answered = {result.id for result in _results(messages[: answers[-1]])}
    found: list[Arrived] = []
    for result in _results(messages[answers[-1] :]):
        text = "\n".join(part.text for part in result.content if isinstance(part, Text))
        name = result.name or names.get(result.id, "")
        found.append(Arrived(result.id, name, _arrival(result, names, waited_for, answered), text))
        answered.add(result.id)
    missing = [Arrived(id, name, Arrival.MISSING) for id, name in waited_for.items() if id not in answered]
    return found + (missing if answers[-1] + 1 < len(messages) else [])


def _arrival(result: ToolResult, names: dict[str, str], waited_for: dict[str, str], answered: set[str]) -> Arrival:
    if result.id not in names:
        return Arrival.UNKNOWN
    if result.id in answered:
        return Arrival.REPEATED
    if result.id not in waited_for:
        return Arrival.LATE
    return Arrival.ERROR if result.is_error else Arrival.OK


def _calls(messages: Sequence[Message]) -> Iterator[ToolCall]:
    return (part for message in messages for part in message.parts if isinstance(part, ToolCall))


def _results(messages: Sequence[Message]) -> Iterator[ToolResult]:
    return (part for message in messages for part in message.parts if isinstance(part, ToolResult))
