"""The sessions of Lingma's that conversations go on in: found by the longest beginning that one of them holds. Pure.

An entry is a session that holds a conversation up to an answer, exactly as the client was shown it. A turn that goes on
with it takes it out, so that no second one can: of two turns that continue one beginning at the same time, the second
gets a new session, and titles, subagents and older branches cannot poison each other. It comes back, under the longer
beginning, when the turn has succeeded.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from lingma_gateway.conversation import Message, Role, Turn
from lingma_gateway.sessions.continuing import Continued, Holder, Place, Retired, fresh
from lingma_gateway.sessions.knowledge import Knowledge, Miss
from lingma_gateway.sessions.prefix import Prefix, prefixes, says_something

_Key = tuple[str, bytes]
"""Id of the API key, and digest of a prefix."""


class Dropped(StrEnum):
    """Why a session was given up."""

    EVICTED = "evicted"
    """There were too many."""
    EXPIRED = "expired"
    """Nothing came back to it in time."""
    LOST = "lost"
    """Its account restarted, was logged in as another, or could not take the next turn."""
    BROKEN = "broken"
    """A turn in it failed, was left or was cut: it holds more than the client was shown, or less."""
    REPEATED = "repeated"
    """Another session holds the same conversation."""


@dataclass(frozen=True, slots=True)
class _Entry:
    holder: Holder
    session_id: str
    knowledge: Knowledge
    expires_at: float


@dataclass(slots=True)
class CacheStats:
    """Counts since the start."""

    hits: int = 0
    misses: Counter[Miss] = field(default_factory=Counter)
    dropped: Counter[Dropped] = field(default_factory=Counter)


class SessionCache:
    """At most `max_entries` sessions, each for `ttl_s` seconds from its last turn on."""

    def __init__(self, max_entries: int, ttl_s: float, clock: Callable[[], float]) -> None:
        self.stats = CacheStats()
        self._max_entries = max_entries
        self._ttl_s = ttl_s
        self._clock = clock
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()
        """The one that nothing came back to for longest is first, and is the next to expire."""
        self._in_use: Counter[_Key] = Counter()
        self._retired: list[Retired] = []

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def session_ids(self) -> set[str]:
        """Of the sessions that are kept, those in use left out."""
        return {entry.session_id for entry in self._entries.values()}

    def preferred(self, turn: Turn, key_id: str) -> str | None:
        """Name of the account that holds the longest beginning, if one does."""
        for prefix in _continued(turn):
            entry = self._entries.get((key_id, prefix.digest))
            if entry is not None:
                return entry.holder.account
        return None

    def place(self, turn: Turn, key_id: str, holder: Holder, model: str) -> Place:
        """Where `turn` is asked: a session that holds a beginning of it, or a new one."""
        self._drop_expired()
        why: Miss | None = None
        beginnings = _continued(turn)
        for prefix in beginnings:
            key = (key_id, prefix.digest)
            entry = self._entries.get(key)
            if entry is None:
                why = why or (Miss.BUSY if key in self._in_use else None)
                continue
            unfit = self._unfit(key, entry, turn, holder, model)
            if unfit is None:
                return self._taken(key, prefix, turn, model)
            why = why or unfit
        why = why or (Miss.UNKNOWN if beginnings else Miss.FIRST)
        self.stats.misses[why] += 1
        return fresh(turn, key_id, holder, model, why)

    def _unfit(self, key: _Key, entry: _Entry, turn: Turn, holder: Holder, model: str) -> Miss | None:
        """Why a turn at `holder` cannot go on with an entry. One that lies elsewhere is given up: the conversation
        goes on without it."""
        if entry.holder == holder:
            return entry.knowledge.contradicted(turn, model)
        self._drop(key, Dropped.LOST)
        return Miss.ACCOUNT if entry.holder.account != holder.account else Miss.RESTARTED

    def _taken(self, key: _Key, prefix: Prefix, turn: Turn, model: str) -> Place:
        entry = self._entries.pop(key)
        self._in_use[key] += 1
        self.stats.hits += 1
        return Place(
            turn,
            key[0],
            entry.holder,
            model,
            entry.session_id,
            turn.messages[prefix.length :],
            entry.knowledge.untold(turn),
            continued=Continued(prefix.digest, entry.knowledge),
        )

    def succeeded(self, place: Place, session_id: str, answer: Message) -> None:
        """The session holds the conversation up to `answer`: the next turn may go on with it."""
        self._release(place)
        history = place.turn.messages
        found = prefixes((*history, answer))
        # After a beginning of an answer that the client wrote itself, nobody knows how it will send the whole.
        begun_by_client = bool(history) and history[-1].role is Role.ASSISTANT
        if begun_by_client or not found or found[-1].length <= len(history) or not session_id:
            self._retire(place.holder.account, session_id, Dropped.BROKEN)
            return
        if place.session_id not in ("", session_id):
            self._retire(place.holder.account, place.session_id, Dropped.REPEATED)
        before = place.continued.knowledge if place.continued else Knowledge.of(place.turn, place.model)
        key = (place.key_id, found[-1].digest)
        if key in self._entries:
            self._drop(key, Dropped.REPEATED)
        self._entries[key] = _Entry(
            place.holder, session_id, before.with_tools(place.turn), self._clock() + self._ttl_s
        )
        self._drop_expired()
        while len(self._entries) > self._max_entries:
            self._drop(next(iter(self._entries)), Dropped.EVICTED)

    def failed(self, place: Place, session_id: str) -> None:
        """What the session holds is not what the client has seen: it is given up."""
        self._release(place)
        for id in dict.fromkeys((place.session_id, session_id)):
            self._retire(place.holder.account, id, Dropped.BROKEN)

    def retired(self) -> Sequence[Retired]:
        """The sessions that were given up, or have expired, since it was asked last."""
        self._drop_expired()
        given_up, self._retired = self._retired, []
        return given_up

    def clear(self) -> None:
        """Give up all sessions that are kept."""
        for key in list(self._entries):
            self._drop(key, Dropped.EVICTED)

    def as_json(self) -> dict[str, Any]:
        """Its figures, for `/internal/stats`."""
        return {
            "entries": len(self._entries),
            "max_entries": self._max_entries,
            "ttl_sec": self._ttl_s,
            "in_use": self._in_use.total(),
            "hits": self.stats.hits,
            "misses": {why.value: count for why, count in sorted(self.stats.misses.items())},
            "dropped": {why.value: count for why, count in sorted(self.stats.dropped.items())},
        }

    def _release(self, place: Place) -> None:
        if place.continued is not None:
            key = (place.key_id, place.continued.digest)
            self._in_use[key] -= 1
            self._in_use += Counter()  # forgets what is at zero

    def _drop_expired(self) -> None:
        now = self._clock()
        while self._entries and next(iter(self._entries.values())).expires_at <= now:
            self._drop(next(iter(self._entries)), Dropped.EXPIRED)

    def _drop(self, key: _Key, why: Dropped) -> None:
        entry = self._entries.pop(key)
        self._retire(entry.holder.account, entry.session_id, why)

    def _retire(self, account: str, session_id: str, why: Dropped) -> None:
        if session_id:
            self.stats.dropped[why] += 1
            self._retired.append(Retired(account, session_id))


def _continued(turn: Turn) -> list[Prefix]:
    """The beginnings that something follows, the longest first."""
    last = max((at for at, message in enumerate(turn.messages) if says_something(message)), default=0)
    return [prefix for prefix in reversed(prefixes(turn.messages)) if prefix.length <= last]
