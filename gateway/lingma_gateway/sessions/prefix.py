"""What the beginnings of a conversation are recognised by: a chain of digests, one for each answer in it. Pure.

A digest covers only what clients send again as it was (clients page, sections 2 and 3). They strip and re-wrap text, so
it is compared without the whitespace at its edges, whether it came as one block or several; they serialise a call's
arguments anew and leave out the text beside it, so an answer with calls is known by their ids; they keep or drop what
the model thought. All dialects give the same digests, so a conversation may move between them.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from lingma_gateway.conversation import Media, Message, Part, Reasoning, Role, Text, ToolCall, ToolResult
from lingma_gateway.prompting.prompt import BILLING_HEADER

_FIELD, _END = b"\x1f", b"\x1e"
_BYTES = 16


@dataclass(frozen=True, slots=True)
class Prefix:
    """The conversation up to the end of an answer."""

    length: int
    """How many messages it has."""
    digest: bytes


def prefixes(messages: Sequence[Message]) -> list[Prefix]:
    """A prefix for each answer of the model, in order; each message is read once."""
    found: list[Prefix] = []
    chain = hashlib.blake2b(digest_size=_BYTES)
    length = 0
    for role, group in groupby(messages, key=_speaker):
        spoken = list(group)
        length += len(spoken)
        for field in _said(role, spoken):
            chain.update(field.encode("utf-8", "surrogatepass"))
            chain.update(_FIELD)
        chain.update(_END)
        if role is Role.ASSISTANT:
            found.append(Prefix(length, chain.digest()))
    return found


def _speaker(message: Message) -> Role:
    """Results of tools are the user's in one dialect and have a role of their own in another."""
    return Role.USER if message.role is Role.TOOL else message.role


def _said(role: Role, messages: Iterable[Message]) -> Iterator[str]:
    """What the messages of one speaker in a row say, as fields of a digest."""
    parts = [part for message in messages for part in message.parts]
    calls = [part for part in parts if isinstance(part, ToolCall)]
    yield role.value
    if all(call.id for call in calls) and calls:
        yield from (f"call {call.id}" for call in calls)
        return
    yield from (f"call {call.name} {call.arguments}" for call in calls)
    for is_text, group in groupby(_items(parts), key=lambda item: item[0] == "text"):
        if is_text:
            yield "text " + "\n".join(text for _, text in group)
        else:
            yield from (f"{kind} {value}" for kind, value in group)


def _items(parts: Iterable[Part]) -> Iterator[tuple[str, str]]:
    for part in parts:
        if isinstance(part, Text):
            text = part.text.strip()
            if text and not text.startswith(BILLING_HEADER):
                yield "text", text
        elif isinstance(part, Media):
            yield part.kind.value, _media_digest(part)
        elif isinstance(part, ToolResult):
            yield "result", part.id
            yield from _items(part.content)
            yield "end", part.id
        else:
            assert isinstance(part, Reasoning | ToolCall)


def _media_digest(media: Media) -> str:
    seen = media.data if media.data is not None else (media.url or "").encode("utf-8", "surrogatepass")
    return hashlib.blake2b(seen, digest_size=_BYTES).hexdigest()
