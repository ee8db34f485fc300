"""Requests of these tests, and what they are as turns."""

import json
from typing import Any

from lingma_gateway.conversation import (
    Message,
    Part,
    Role,
    Turn,
)
from lingma_gateway.dialects.anthropic import request
from lingma_gateway.dialects.anthropic.fields import FIELDS

HELLO = [{"role": "user", "content": "Hello"}]
SCHEMA = {"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": "number"}}}
PLAIN = [name for name in FIELDS if "." not in name]
"""The fields of a request that are no parts of another one."""
READ = {"name": "read", "description": "Reads a file.", "input_schema": SCHEMA}


def parse(messages: Any = HELLO, **fields: Any) -> request.MessagesRequest:
    body = {"max_tokens": 64, "messages": messages, **fields}
    return request.parse(json.dumps({name: value for name, value in body.items() if value is not ...}).encode())


def turn(messages: Any = HELLO, **fields: Any) -> Turn:
    return parse(messages, **fields).turn


def said(content: Any, role: str = "user") -> tuple[Part, ...]:
    """The parts of one message."""
    (message,) = turn([{"role": role, "content": content}]).messages
    return message.parts


def user(*parts: Part) -> Message:
    return Message(Role.USER, parts)
