"""Which account serves a request: rendezvous hashing with bounded load.

Each key ranks all accounts by a hash of both, and the first in rank that is ready serves. When an account leaves, only
its own keys move; when one comes, it takes its share and nothing else moves; and two routers that see the same
accounts agree without a word. An account far above the mean of requests in flight is passed over for this one
request: the ranking does not change, so the conversation is back with the next one.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from typing import assert_never

from lingma_router.affinity import Affinity, Keyed, Lost, Pinned, Reason

_WORD = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Account:
    """A LingmaAccount, and where it can be reached."""

    uid: str
    namespace: str
    name: str
    address: str | None
    """`host:port` of its gateway, or None while it takes no requests."""
    seed: int = field(default=-1, compare=False)
    """64 bits of the UID's hash, kept because every request ranks every account."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", _word(self.uid.encode()))


@dataclass(frozen=True, slots=True)
class Bound:
    """How far above the mean an account may be: `factor` times the mean of requests in flight, plus `slack`."""

    factor: float = 1.25
    slack: int = 4

    def of(self, in_flight: int, accounts: int) -> int:
        """The most requests that one of `accounts` may hold when there are `in_flight` and one more comes."""
        return ceil(self.factor * (in_flight + 1) / accounts) + self.slack


@dataclass(frozen=True, slots=True)
class Placed:
    """`account` serves the request."""

    account: Account
    reason: Reason
    hard: bool = False
    spilled: bool = False
    """The account that the key or name stands for was too busy."""


@dataclass(frozen=True, slots=True)
class StateLost:
    """The request needs what no account of this router has."""

    lost: Lost


@dataclass(frozen=True, slots=True)
class HolderNotReady:
    """The request needs what the account with this UID has, which takes no requests now."""

    account_uid: str


@dataclass(frozen=True, slots=True)
class NoneReady:
    """No account takes requests now."""


Placement = Placed | StateLost | HolderNotReady | NoneReady


@dataclass(frozen=True, slots=True)
class Fleet:
    """The accounts that take requests at one moment, and how busy they are."""

    ready: Mapping[str, Account]
    """By account UID."""
    loads: Mapping[str, int]
    """Requests in flight by account UID; absent means none."""
    bound: Bound = Bound()

    def without(self, uids: Collection[str]) -> "Fleet":
        """The same, as if these accounts took no requests."""
        return replace(self, ready={uid: account for uid, account in self.ready.items() if uid not in uids})

    def has_room(self, account: Account) -> bool:
        """Whether one more request keeps `account` within the bound."""
        load = self.loads.get(account.uid, 0)
        if load < self.bound.slack:
            return True
        total = sum(self.loads.get(uid, 0) for uid in self.ready)
        return load + 1 <= self.bound.of(total, len(self.ready))


def place(affinities: Iterable[Affinity], fleet: Fleet, choose: Callable[[int], int]) -> Placement:
    """The account for a request, or why there is none.

    Args:
        affinities: what the request says, the strongest first.
        choose: a number below its argument; decides between equally idle accounts.
    """
    for affinity in affinities:
        match affinity:
            case Lost():
                return StateLost(affinity)
            case Pinned(hard=True):
                return _to_holder(affinity, fleet)
            case Pinned():
                placed = _to_pinned(affinity, fleet)
                if placed is not None:
                    return placed
            case Keyed():
                return _by_key(affinity.reason, affinity.key, fleet)
            case _:
                assert_never(affinity)
    return _least_loaded(fleet, choose)


def ranking(key: bytes, accounts: Iterable[Account]) -> list[Account]:
    """The accounts in the order in which `key` prefers them."""
    word = _word(key)
    return sorted(accounts, key=lambda account: _mix(word ^ account.seed), reverse=True)


def _to_holder(pinned: Pinned, fleet: Fleet) -> Placed | HolderNotReady:
    account = fleet.ready.get(pinned.account_uid)
    return HolderNotReady(pinned.account_uid) if account is None else Placed(account, pinned.reason, hard=True)


def _to_pinned(pinned: Pinned, fleet: Fleet) -> Placed | None:
    account = fleet.ready.get(pinned.account_uid)
    return None if account is None else _bounded(pinned.reason, account, pinned.account_uid.encode(), fleet)


def _by_key(reason: Reason, key: bytes, fleet: Fleet) -> Placed | NoneReady:
    if not fleet.ready:
        return NoneReady()
    word = _word(key)
    first = max(fleet.ready.values(), key=lambda account: _mix(word ^ account.seed))
    return _bounded(reason, first, key, fleet)


def _bounded(reason: Reason, wanted: Account, key: bytes, fleet: Fleet) -> Placed:
    if fleet.has_room(wanted):
        return Placed(wanted, reason)
    # Some account is at or below the mean, and the bound is above it: the search ends.
    room = next(account for account in ranking(key, fleet.ready.values()) if fleet.has_room(account))
    return Placed(room, reason, spilled=True)


def _least_loaded(fleet: Fleet, choose: Callable[[int], int]) -> Placed | NoneReady:
    if not fleet.ready:
        return NoneReady()
    least = min(fleet.loads.get(uid, 0) for uid in fleet.ready)
    idle = [account for uid, account in fleet.ready.items() if fleet.loads.get(uid, 0) == least]
    return Placed(idle[choose(len(idle))], Reason.NONE)


def _word(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


def _mix(word: int) -> int:
    """The finalizer of splitmix64: a bijection of 64 bits, several times cheaper here than a hash of bytes."""
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 & _WORD
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB & _WORD
    return word ^ (word >> 31)
