"""The cache beside a Lingma that remembers what each session was told, whatever clients do and in whatever order."""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lingma_gateway.conversation import Message, Role, Turn
from lingma_gateway.sessions.cache import SessionCache
from lingma_gateway.sessions.continuing import Holder, Place
from tests.lingma_gateway.sessions.support_cache import answer, user
from tests.lingma_gateway.support_pool import Clock

MAX_ENTRIES, TTL_S = 3, 100.0
HOLDERS = st.sampled_from([Holder("alice"), Holder("alice", 1), Holder("bob")])
MODELS, KEYS, TEXTS = st.sampled_from(["auto", "qwen"]), st.sampled_from(["a", "b"]), st.sampled_from(["x", "y"])


@dataclass
class Upstream:
    """A session as Lingma has it, and when nothing will come back to it any more."""

    key: str
    holder: Holder
    model: str
    messages: list[Message]
    expires_at: float = 0.0


@dataclass
class Running:
    place: Place
    session_id: str


class SessionsOfLingma(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.cache = SessionCache(MAX_ENTRIES, TTL_S, self.clock)
        self.sessions: dict[str, Upstream] = {}
        self.histories: list[tuple[Message, ...]] = [()]
        self.running: list[Running] = []
        self.made = 0

    def delete(self) -> None:
        """What was given up is deleted; it was there, and nobody uses it."""
        for retired in self.cache.retired():
            assert retired.session_id not in self.in_use
            del self.sessions[retired.session_id]

    @property
    def in_use(self) -> set[str]:
        return {each.session_id for each in self.running}

    def longest(self, asked: Turn, key: str, holder: Holder, model: str) -> int:
        """The longest beginning of the turn that an idle session holds exactly, by looking at each of them."""
        return max(
            (
                len(session.messages)
                for id, session in self.sessions.items()
                if (session.key, session.holder, session.model) == (key, holder, model)
                and id not in self.in_use
                and session.expires_at > self.clock.now_s
                and tuple(session.messages) == asked.messages[: len(session.messages)]
            ),
            default=0,
        )

    @rule(data=st.data(), text=TEXTS, key=KEYS, holder=HOLDERS, model=MODELS)
    def ask(self, data: st.DataObject, text: str, key: str, holder: Holder, model: str) -> None:
        history = data.draw(st.sampled_from(self.histories))
        asked = Turn(None, (*history, user(text)), stream=False)
        expected = self.longest(asked, key, holder, model)
        place = self.cache.place(asked, key, holder, model)
        if place.session_id:
            session = self.sessions[place.session_id]
            assert place.session_id not in self.in_use
            assert (session.key, session.holder, session.model) == (key, holder, model)
            assert len(session.messages) == expected
            session.messages += place.unseen
            assert tuple(session.messages) == asked.messages
            self.running.append(Running(place, place.session_id))
        else:
            assert expected == 0
            assert place.unseen == asked.messages
            self.made += 1
            self.sessions[f"s-{self.made}"] = Upstream(key, holder, model, list(asked.messages))
            self.running.append(Running(place, f"s-{self.made}"))
        self.delete()

    @precondition(lambda self: self.running)
    @rule(data=st.data(), text=TEXTS)
    def succeed(self, data: st.DataObject, text: str) -> None:
        ended = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        session = self.sessions[ended.session_id]
        session.messages.append(answer(text))
        session.expires_at = self.clock.now_s + TTL_S
        self.histories.append(tuple(session.messages))
        self.cache.succeeded(ended.place, ended.session_id, answer(text))
        self.delete()

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        ended = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        self.cache.failed(ended.place, ended.session_id)
        self.delete()
        assert ended.session_id not in self.sessions

    @rule(seconds=st.sampled_from([1.0, 60.0, 100.0]))
    def wait(self, seconds: float) -> None:
        self.clock.now_s += seconds
        self.delete()

    @invariant()
    def every_session_is_kept_or_in_use(self) -> None:
        assert len(self.sessions) == len(self.cache) + len(self.running)
        assert len(self.cache) <= MAX_ENTRIES
        assert self.cache.as_json()["in_use"] == sum(each.place.is_reply for each in self.running)

    @invariant()
    def what_a_session_holds_ends_with_an_answer_while_nobody_uses_it(self) -> None:
        idle = [each for id, each in self.sessions.items() if id not in self.in_use]
        assert all(session.messages[-1].role is Role.ASSISTANT for session in idle)


TestSessionsOfLingma = SessionsOfLingma.TestCase
TestSessionsOfLingma.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
