"""A conversation as one text: Lingma has no roles. Pure.

What the model is to answer stands last and bare, without a mark of its role; what came before is quoted in a block of
turns. A model that reads `[user]` before each message goes on with `[assistant]` and then plays the user too; it does
not where the earlier turns are a quotation. A lone message of the user goes as it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import assert_never

from lingma_gateway.conversation import Media, Message, Part, Reasoning, Role, Text, ToolCall, ToolResult, Turn

BILLING_HEADER = "x-anthropic-billing-header:"
"""How the block begins that Claude Code puts before its system prompt (clients page, section 3)."""
_QUOTED = "The conversation so far, oldest first. Answer what stands after it; do not repeat it."
_CONTINUE = "Go on with the last turn of the assistant from exactly where it ends. Do not repeat it."
_OPEN, _CLOSE = "<conversation>", "</conversation>"
_OURS = ("<conversation>", "</conversation>", "<turn from=", "</turn>")


def placeholder(media: Media) -> str:
    """What stands for a part that the model cannot see."""
    return f"[{media.kind.value}]"


def call_text(call: ToolCall) -> str:
    """A call as the model reads it."""
    return f"[tool_call {call.id}] {call.name} {call.arguments}"


def result_text(result: ToolResult, content: str) -> str:
    """A call's result as the model reads it; `content` is what the tool said."""
    return f"[tool_result {result.id}]\n{content}"


@dataclass(frozen=True, slots=True)
class Wording:
    """How parts that are no text are put."""

    media: Callable[[Media], str] = placeholder
    call: Callable[[ToolCall], str] = call_text
    result: Callable[[ToolResult, str], str] = result_text


DEFAULT_WORDING = Wording()


def whole(turn: Turn, wording: Wording = DEFAULT_WORDING, *, instructions: str = "", reminder: str = "") -> str:
    """The prompt of a new session: the system text, the earlier turns, and last what is to be answered.

    `instructions` (what tools there are) follow the system text, `reminder` (what the answer must be) ends the prompt.
    """
    leading = list(takewhile(lambda message: message.role is Role.SYSTEM, turn.messages))
    system = [_message_text(message, wording) for message in leading]
    return _joined(*system, instructions, *_conversation(turn.messages[len(leading) :], wording), reminder)


def reply(
    unseen: Sequence[Message], wording: Wording = DEFAULT_WORDING, *, instructions: str = "", reminder: str = ""
) -> str:
    """The prompt of a session that has seen all but `unseen`; `instructions` are about tools it was not told of."""
    return _joined(instructions, *_conversation(unseen, wording), reminder)


def _conversation(messages: Sequence[Message], wording: Wording) -> list[str]:
    """The turns up to the model's last as a quotation, then those that it is to answer."""
    answered = max((at + 1 for at, message in enumerate(messages) if message.role is Role.ASSISTANT), default=0)
    past = [turn for message in messages[:answered] if (turn := _quoted(message, wording))]
    now = [text for message in messages[answered:] if (text := _bare(message, wording))]
    if not past:
        return now
    return [_QUOTED, "\n".join((_OPEN, *past, _CLOSE)), *(now or [_CONTINUE])]


def _quoted(message: Message, wording: Wording) -> str:
    text = _message_text(message, wording)
    return f'<turn from="{message.role.value}">\n{_neutral(text)}\n</turn>' if text else ""


def _bare(message: Message, wording: Wording) -> str:
    """A message to be answered: only one of the system, which is not the user's to say, has a mark."""
    return _quoted(message, wording) if message.role is Role.SYSTEM else _message_text(message, wording)


def _neutral(text: str) -> str:
    """Text that cannot end the quotation or begin a turn in it."""
    for mark in _OURS:
        text = text.replace(mark, mark.replace("<", "<\\", 1))
    return text


def _message_text(message: Message, wording: Wording) -> str:
    texts = (_part_text(part, wording) for part in message.parts)
    return "\n".join(text for text in texts if text.strip() and not text.startswith(BILLING_HEADER))


def _part_text(part: Part, wording: Wording) -> str:
    match part:
        case Text(text):
            return text
        case Reasoning():
            return ""
        case Media():
            return wording.media(part)
        case ToolCall():
            return wording.call(part)
        case ToolResult(_, content):
            return wording.result(part, "\n".join(_part_text(each, wording) for each in content))
        case _:
            assert_never(part)


def _joined(*texts: str) -> str:
    return "\n\n".join(text for text in texts if text)
