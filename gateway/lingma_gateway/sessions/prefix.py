"""What the beginnings of a conversation are recognised by: a chain of digests, one for each answer in it. Pure.

A digest covers only what clients send again as it was (clients page, sections 2 and 3). They strip text and send one
block for several, so it is compared without the whitespace at its edges, however it is cut into blocks; they serialise
a call's arguments anew and leave out the text beside it, so an answer with calls is known by their ids; they keep or
drop what the model thought. All dialects give the same digests, so a conversation may move between them.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile
from typing import assert_never

from lingma_gateway.conversation import Media, Message, Part, Reasoning, Role, Text, ToolCall, ToolResult
from lingma_gateway.prompting.prompt import BILLING_HEADER

_BYTES = 16
_Item = tuple[str, str]
"""A kind and a value of it."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """The conversation up to the end of an answer."""

    length: int
    """How many messages it has."""
    digest: bytes


def prefixes(messages: Sequence[Message]) -> list[Prefix]:
    """A prefix for each answer of the model, in order; each message is read once."""
    if not any(message.role is Role.ASSISTANT for message in messages):
        return []
    spoken = [(at + 1, message) for at, message in enumerate(messages) if says_something(message)]
    chain = hashlib.blake2b(digest_size=_BYTES)
    found: list[Prefix] = []
    for role, group in groupby(spoken, key=lambda each: _speaker(each[1])):
        in_a_row = list(group)
        items = [item for _, message in in_a_row for item in _said(message)]
        for kind, value in ((role.value, ""), *_joined(items)):
            data = value.encode("utf-8", "surrogatepass")
            chain.update(f"{kind} {len(data)}\n".encode() + data)
        if role is Role.ASSISTANT:
            found.append(Prefix(in_a_row[-1][0], chain.digest()))
    return found


def opening(messages: Sequence[Message]) -> str:
    """A name for the conversation that all its turns share and that tells nothing of it: a digest of what the user said
    before the first answer."""
    before = list(takewhile(lambda message: message.role is not Role.ASSISTANT, messages))
    digest = hashlib.blake2b(digest_size=6)
    for kind, value in _joined(item for message in before if message.role is Role.USER for item in _said(message)):
        digest.update(f"{kind} {value}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def says_something(message: Message) -> bool:
    """Whether the model reads anything of it."""
    return bool(_said(message))


def _speaker(message: Message) -> Role:
    """Results of tools are the user's in one dialect and have a role of their own in another."""
    return Role.USER if message.role is Role.TOOL else message.role


def _said(message: Message) -> list[_Item]:
    calls = [part for part in message.parts if isinstance(part, ToolCall) and part.id]
    if calls:
        return [("call", call.id) for call in calls]
    return list(_items(message.parts))


def _items(parts: Iterable[Part]) -> Iterator[_Item]:
    for part in parts:
        match part:
            case Text(text):
                stripped = text.strip()
                if stripped and not stripped.startswith(BILLING_HEADER):
                    yield "text", stripped
            case Media(kind):
                yield kind.value, _media_digest(part)
            case ToolResult(id, content):
                yield "result", id
                yield from _items(content)
                yield "end", id
            case ToolCall(_, name, arguments):  # of the form before there were ids
                yield "call", f"{name} {arguments}"
            case Reasoning():
                continue
            case _:
                assert_never(part)


def _joined(items: Iterable[_Item]) -> Iterator[_Item]:
    """The items with texts in a row as one."""
    for kind, group in groupby(items, key=lambda item: item[0]):
        values = [value for _, value in group]
        yield from (("text", "\n".join(values)),) if kind == "text" else ((kind, value) for value in values)


def _media_digest(media: Media) -> str:
    seen = media.data if media.data is not None else (media.url or "").encode("utf-8", "surrogatepass")
    return hashlib.blake2b(seen, digest_size=_BYTES).hexdigest()
