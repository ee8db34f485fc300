"""What a session of Lingma's was told beside the conversation, and whether a turn can go on with that. Pure."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from lingma_gateway.conversation import ChoiceMode, OutputFormat, Tool, Turn


class Miss(StrEnum):
    """Why a turn got a new session."""

    FIRST = "first"
    """There is no answer in it yet: nothing to go on with."""
    UNKNOWN = "unknown"
    """No session is kept of any beginning of it: never was, changed, expired or evicted."""
    BUSY = "busy"
    """Another turn goes on with the session at this moment."""
    MODEL = "model"
    TOOLS = "tools"
    """A tool that the session was told of is gone or has changed."""
    FORMAT = "format"
    """The answer must have another form."""
    ACCOUNT = "account"
    """The account that holds it is busy or not ready."""
    RESTARTED = "restarted"
    """The account's Lingma was connected anew or logged in as another since."""
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What holds for a whole session."""

    model: str
    """Key of the upstream model."""
    tools: Mapping[str, bytes] = field(default_factory=dict)
    """The tools that it was told of: a digest of each, by name."""
    output: OutputFormat | None = None

    @classmethod
    def of(cls, turn: Turn, model: str) -> "Knowledge":
        """What a new session is told with `turn`."""
        return cls(model, digests(shown(turn)), turn.output)

    def contradicted(self, turn: Turn, model: str) -> Miss | None:
        """Why `turn` cannot go on with it; None: it can."""
        if model != self.model:
            return Miss.MODEL
        if not self.tools.items() <= digests(turn.tools).items():
            return Miss.TOOLS
        return Miss.FORMAT if turn.output != self.output else None

    def untold(self, turn: Turn) -> tuple[Tool, ...]:
        """The tools of `turn` that the model is shown and does not know."""
        return tuple(tool for tool in shown(turn) if tool.name not in self.tools)

    def with_tools(self, turn: Turn) -> "Knowledge":
        """As it is after `turn`."""
        return Knowledge(self.model, {**self.tools, **digests(shown(turn))}, self.output)


def shown(turn: Turn) -> tuple[Tool, ...]:
    """The tools that the model is told of: none where it must not call any, else those that it may call."""
    if turn.tool_choice.mode is ChoiceMode.NONE:
        return ()
    allowed = turn.tool_choice.allowed
    return tuple(tool for tool in turn.tools if not allowed or tool.name in allowed)


def digests(tools: Iterable[Tool]) -> dict[str, bytes]:
    """A digest of all that the model is told of each tool, by name."""
    return {tool.name: _digest(tool) for tool in tools}


def _digest(tool: Tool) -> bytes:
    told = "\x1f".join((tool.kind, tool.description, tool.schema, tool.grammar))
    return hashlib.blake2b(told.encode("utf-8", "surrogatepass"), digest_size=16).digest()
