"""Which account a conversation prefers that no session is kept of: the same one each time, while it is ready. Pure."""

import hashlib
from collections.abc import Iterable

from lingma_gateway.conversation import Message, Role, Text, Turn
from lingma_gateway.prompting.prompt import BILLING_HEADER


def preferred(turn: Turn, key_id: str, names: Iterable[str]) -> str | None:
    """One of `names`, by the client's `user`, else the first system text, else the first message.

    Where a name goes or comes, only the conversations of that one move (rendezvous hashing).
    """
    trait = f"{key_id}\x1f{_trait(turn)}".encode("utf-8", "surrogatepass")
    return max(names, key=lambda name: hashlib.blake2b(name.encode(), key=_short(trait)).digest(), default=None)


def _short(trait: bytes) -> bytes:
    return hashlib.blake2b(trait, digest_size=16).digest()


def _trait(turn: Turn) -> str:
    if turn.user:
        return turn.user
    texts = [text for message in turn.messages if message.role is Role.SYSTEM and (text := _text(message))]
    return (texts or [_text(message) for message in turn.messages] or [""])[0]


def _text(message: Message) -> str:
    texts = (part.text.strip() for part in message.parts if isinstance(part, Text))
    return "\n".join(text for text in texts if not text.startswith(BILLING_HEADER))
