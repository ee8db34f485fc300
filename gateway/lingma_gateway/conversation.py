"""What a client asks, in one vocabulary for every wire format."""

from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """Who speaks. `developer` is SYSTEM, `function` is TOOL."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model made earlier. `arguments` is JSON text as the client sent it back."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What the client's tool answered to call `id`."""

    id: str
    text: str


Part = Text | ToolCall | ToolResult


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Turn:
    """One request for an answer."""

    model: str | None
    """As the client named it; None takes the default."""
    messages: tuple[Message, ...]
    stream: bool
    ignored: tuple[str, ...] = field(default=())
    """Request fields that had no effect, for the header `x-lingma-ignored`."""
    degraded: tuple[str, ...] = field(default=())
    """Parts that became a placeholder, for the header `x-lingma-degraded`."""
