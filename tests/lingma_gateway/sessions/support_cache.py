"""Conversations with a session cache, and a clock that is moved by hand."""

from typing import Any

from lingma_gateway.conversation import Message, Role, Text, Turn
from lingma_gateway.sessions.cache import SessionCache
from lingma_gateway.sessions.continuing import Holder, Place
from tests.lingma_gateway.support_pool import Clock

ALICE, BOB = Holder("alice"), Holder("bob")
KEY = "team-a"
MODEL = "org_auto"


def user(text: str) -> Message:
    return Message(Role.USER, (Text(text),))


def answer(text: str) -> Message:
    return Message(Role.ASSISTANT, (Text(text),))


def turn(*texts: str, **more: Any) -> Turn:
    """The user's and the model's messages by turns, the user's first."""
    messages = tuple(answer(text) if number % 2 else user(text) for number, text in enumerate(texts))
    return Turn(None, messages, stream=False, **more)


class Kept:
    """A cache, and turns that run on it at once."""

    def __init__(self, max_entries: int = 8, ttl_s: float = 100.0) -> None:
        self.clock = Clock()
        self.cache = SessionCache(max_entries, ttl_s, self.clock)

    def begin(self, asked: Turn, holder: Holder = ALICE, key: str = KEY, model: str = MODEL) -> Place:
        return self.cache.place(asked, key, holder, model)

    def chat(self, asked: Turn, answered: str, session: str = "s-1", holder: Holder = ALICE) -> Place:
        """A turn that succeeds."""
        place = self.begin(asked, holder)
        self.cache.succeeded(place, place.session_id or session, answer(answered))
        return place

    def deleted(self) -> list[str]:
        """Sessions that were given up since it was asked last."""
        return [retired.session_id for retired in self.cache.retired()]
