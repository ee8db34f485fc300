"""What a conversation is recognised by when the client sends no key: its opening.

The opening is the text of the user's messages before the model's first answer. Clients send it again with every turn
and do not reformat it, unlike system prompts (dates, file trees, the `x-anthropic-billing-header` block) and tool call
arguments. All three dialects give the same opening for the same text, so a conversation may move between them.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

_BOUNDARY = b"\x1e"


def opening(body: Mapping[str, Any]) -> str | None:
    """Hash of the opening (32 hex digits) of a request body of any of the three dialects; None if it has none.

    Reads `messages` (chat completions, messages) or `input` (responses); anything malformed in them is passed over,
    because whoever answers the request will name the fault.
    """
    digest = hashlib.sha256()
    found = False
    for text in _user_texts(body.get("messages", body.get("input"))):
        digest.update(text.encode("utf-8", "surrogatepass"))
        digest.update(_BOUNDARY)
        found = True
    return digest.hexdigest()[:32] if found else None


def _user_texts(messages: Any) -> Iterator[str]:
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    if not isinstance(messages, list):
        return
    for message in messages:
        if not isinstance(message, Mapping):
            continue
        role = message.get("role")
        if role == "assistant" or _is_output(message.get("type")):
            return
        if role == "user" and (text := _text(message.get("content"))):
            yield text


def _is_output(kind: Any) -> bool:
    """Whether an item of a Responses input is what the model produced: reasoning, or a call of some kind of tool."""
    return isinstance(kind, str) and (kind == "reasoning" or kind.endswith("_call"))


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content.strip()
    if not isinstance(content, list):
        return ""
    texts = (part.get("text") for part in content if isinstance(part, Mapping))
    return "\n".join(text.strip() for text in texts if isinstance(text, str) and text.strip())
