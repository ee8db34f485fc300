from dataclasses import replace

import pytest

from lingma_gateway.conversation import (
    Media,
    MediaKind,
    Message,
    OutputFormat,
    Part,
    Reasoning,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
)
from lingma_gateway.counting import input_tokens

LONG = "word " * 100
IMAGE = Media(MediaKind.IMAGE, "messages.0.content.0", data=b"\0" * 100_000)
BARE = Turn(None, (Message(Role.USER, (Text("Hello"),)),), stream=False)


def with_part(part: Part) -> Turn:
    return replace(BARE, messages=(*BARE.messages, Message(Role.USER, (part,))))


COUNTED: dict[str, Turn] = {
    "another message": with_part(Text(LONG)),
    "a call's arguments": with_part(ToolCall("call_1", "read", LONG)),
    "a tool's answer": with_part(ToolResult("call_1", (Text(LONG),))),
    "a system prompt": replace(BARE, messages=(Message(Role.SYSTEM, (Text(LONG),)), *BARE.messages)),
    "a tool's description": replace(BARE, tools=(Tool("read", LONG),)),
    "a tool's schema": replace(BARE, tools=(Tool("read", schema=LONG),)),
    "a tool's grammar": replace(BARE, tools=(Tool("patch", grammar=LONG),)),
    "the schema of the answer": replace(BARE, output=OutputFormat(LONG)),
}


@pytest.mark.parametrize("what", COUNTED)
def test_all_that_the_model_is_shown_counts(what: str) -> None:
    assert input_tokens(COUNTED[what]) >= input_tokens(BARE) + 100


def test_what_was_thought_earlier_does_not_count() -> None:
    assert input_tokens(with_part(Reasoning(LONG))) == input_tokens(with_part(Reasoning("a")))


def test_an_image_counts_as_its_placeholder() -> None:
    assert input_tokens(with_part(IMAGE)) == input_tokens(with_part(Text("[image]")))


def test_any_json_object_as_the_format_adds_nothing() -> None:
    assert input_tokens(replace(BARE, output=OutputFormat())) == input_tokens(BARE)
