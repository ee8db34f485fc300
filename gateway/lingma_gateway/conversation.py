"""What a client asks, in one vocabulary for every wire format.

Everything here is hashable text: JSON that a client chose (a schema, a call's arguments) stays the text of that JSON.
"""

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
class Reasoning:
    """What the model thought earlier, as the client sends it back. Never shown to the model again."""

    text: str


class MediaKind(StrEnum):
    """What a part is that is not text; the value is its placeholder's name."""

    IMAGE = "image"
    AUDIO = "audio"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Media:
    """A part that only some models can see. Either `data` or `url` is set."""

    kind: MediaKind
    where: str
    """The field that holds it, as errors name it: `messages[0].content[1]`."""
    media_type: str = ""
    """As the client says: `image/png`. Empty: unknown."""
    data: bytes | None = field(default=None, repr=False)
    url: str | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model made earlier. `arguments` is JSON text as the client sent it back; custom: free text.

    Clients re-serialise the arguments (clients page, section 2): a call is recognised by its id, never by them.
    """

    id: str
    name: str
    """As the tool is called in this request's `tools`."""
    arguments: str
    custom: bool = False


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What the client's tool answered to call `id`."""

    id: str
    content: tuple[Text | Media, ...]
    is_error: bool = False
    name: str = ""
    """The tool's name where the client repeats it; empty: that of the call."""


Part = Text | Reasoning | Media | ToolCall | ToolResult


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    parts: tuple[Part, ...]


class ToolKind(StrEnum):
    """What a call of the tool carries."""

    FUNCTION = "function"
    """A JSON object that fits `schema`."""
    CUSTOM = "custom"
    """Free text."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the client executes."""

    name: str
    """By which the model calls it; unique in a Turn. A namespaced one is `NAMESPACE.NAME`."""
    description: str = ""
    schema: str = "{}"
    """JSON Schema of the arguments, as JSON text with the client's own order of keys."""
    kind: ToolKind = ToolKind.FUNCTION
    strict: bool = False
    namespace: str = ""
    """Responses: the namespace that the client gave it; its own name is what follows `NAMESPACE.` in `name`."""
    grammar: str = ""
    """Custom: what its input must follow, as the client states it; shown to the model, not enforced."""


class ChoiceMode(StrEnum):
    """Whether the model may, must or must not call a tool."""

    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"
    """At least one call, of any tool that is allowed."""


@dataclass(frozen=True, slots=True)
class ToolChoice:
    mode: ChoiceMode = ChoiceMode.AUTO
    allowed: tuple[str, ...] = ()
    """Names of the tools that may be called; `()`: all. A named choice is REQUIRED with one name."""


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """The answer must be JSON."""

    schema: str | None = None
    """JSON Schema as JSON text; None: any JSON object."""
    name: str = ""
    strict: bool = False
    where: str = field(default="response_format.json_schema.schema", compare=False)
    """The field that holds the schema, as errors name it."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One request for an answer, with its whole history."""

    model: str | None
    """As the client named it; None takes the default."""
    messages: tuple[Message, ...]
    stream: bool
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = ToolChoice()
    parallel_tool_calls: bool = True
    """False: at most one call an answer."""
    stop: tuple[str, ...] = ()
    """The answer ends before the first of these; none is empty."""
    max_tokens: int | None = None
    """Estimated tokens after which the answer is cut."""
    output: OutputFormat | None = None
    user: str | None = None
    """What the client calls its end user: which account of this machine is preferred."""
    ignored: tuple[str, ...] = field(default=())
    """Request fields and kinds of tools that had no effect, for the header `x-lingma-ignored`."""
    degraded: tuple[str, ...] = field(default=())
    """Parts that became a placeholder already, for the header `x-lingma-degraded`."""
