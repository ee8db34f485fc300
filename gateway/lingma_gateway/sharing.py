"""Requests with an `Idempotency-Key`: the same one again joins the running answer, or gets it once more, byte for byte.

Clients retry blindly: a connection that broke may have cost a whole turn already. A failure is not repeated: a retry
after it runs anew.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from lingma_gateway.errors import GatewayError, IdempotencyKeyReused, NoReadyAccount
from lingma_gateway.record import TurnRecord

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says about itself."""

    key: str
    digest: bytes
    """Of path, query and body: another request under the same key is refused."""


class Answer(Protocol):
    """The bytes of one answer, as they come."""

    @property
    def media_type(self) -> str: ...

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """The bytes, none of them empty.

        Raises:
            GatewayError: the answer broke off.
        """
        ...

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        """What a stream that has begun ends with when it breaks off; nothing where its connection is to be aborted."""
        ...


@dataclass(frozen=True, slots=True)
class SharingSettings:
    max_answers: int = 256
    """0: `Idempotency-Key` has no effect."""
    max_bytes: int = 32 * 2**20
    lifetime_s: float = 600.0
    """After its end, how long an answer is repeated."""
    grace_s: float = 10.0
    """How long an answer goes on after its last client left."""


@dataclass(frozen=True, slots=True)
class Making:
    """How an answer is made, and what is known of it."""

    answer: Answer
    record: TurnRecord
    fields: Callable[[], Mapping[str, str]]
    """Headers of the answer."""
    ended: Callable[["SharedAnswer"], None]
    """Called once, when it has ended in whatever way."""


class SharedAnswer:
    """An answer that is made once, for all who ask for it."""

    def __init__(self, making: Making, grace_s: float, clock: Callable[[], float]) -> None:
        self.media_type = making.answer.media_type
        self.record = making.record
        self.fields = making.fields
        self.error: GatewayError | None = None
        self.cancelled = False
        """Its last client left and none came back in time, or the process ends."""
        self.ended_at: float | None = None
        self.size = 0
        self._making = making
        self._grace_s = grace_s
        self._clock = clock
        self._chunks: list[bytes] = []
        self._changed = asyncio.Event()
        self._followers = 0
        self._leaving: asyncio.TimerHandle | None = None
        self._last: bytes | None = None
        self._task = asyncio.create_task(self._make())
        self._task.add_done_callback(self._end)

    async def _make(self) -> None:
        try:
            async with aclosing(self._making.answer.chunks()) as chunks:
                async for data in chunks:
                    self._chunks.append(data)
                    self.size += len(data)
                    self._wake()
        except GatewayError as error:
            self.error = error
        except Exception:
            log.exception("unhandled", extra={"fields": {"request_id": self.record.request_id}})
            self.error = GatewayError("the gateway failed: its log says more under this request id")

    def _end(self, task: "asyncio.Task[None]") -> None:
        if task.cancelled():
            self.error = NoReadyAccount("this answer was given up", retry_after_s=1)
        self.ended_at = self._clock()
        self._making.ended(self)
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """All of it from the beginning, then what comes."""
        with self._followed():
            sent = 0
            while True:
                if sent < len(self._chunks):
                    data = b"".join(self._chunks[sent:])
                    sent = len(self._chunks)
                    yield data
                elif self.ended_at is None:
                    await self._changed.wait()
                else:
                    break
            if self.error is not None:
                raise self.error

    @contextmanager
    def _followed(self) -> Iterator[None]:
        self._followers += 1
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        try:
            yield
        finally:
            self._followers -= 1
            if self._followers == 0 and self.ended_at is None:
                self._leaving = asyncio.get_running_loop().call_later(self._grace_s, self._give_up)

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        """The same for all: what is open in the form of the answer is closed once."""
        if self._last is None:
            self._last = self._making.answer.fail(error, self.record.request_id)
        return self._last

    def _give_up(self) -> None:
        # Known before the turn has stopped upstream, which takes a moment: nobody joins any more.
        self.cancelled = True
        self._task.cancel()

    async def give_up(self) -> None:
        """End it, if it still runs."""
        if self._leaving is not None:
            self._leaving.cancel()
        self._give_up()
        await asyncio.gather(self._task, return_exceptions=True)


_Name = tuple[str, str]


class SharedAnswers:
    """The answers that can be joined or repeated, by key id and `Idempotency-Key`; bounded in number and bytes."""

    def __init__(
        self, settings: SharingSettings = SharingSettings(), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._clock = clock
        # The oldest first.
        self._answers: dict[_Name, tuple[bytes, SharedAnswer]] = {}
        self._running: set[SharedAnswer] = set()

    def __len__(self) -> int:
        return len(self._answers)

    def find(self, key_id: str, claim: Claim) -> SharedAnswer | None:
        """The answer to the same request.

        Raises:
            IdempotencyKeyReused: the key was used for another one.
        """
        self._forget_old()
        found = self._answers.get((key_id, claim.key))
        if found is None or found[1].cancelled:
            return None
        digest, shared = found
        if digest != claim.digest:
            raise IdempotencyKeyReused(
                "this Idempotency-Key was used for another request; use a new one", param="Idempotency-Key"
            )
        return shared

    def share(self, key_id: str, claim: Claim, making: Making) -> SharedAnswer | None:
        """An answer that others may join from now on; None where there is no room for one more. It runs at once."""
        self._make_room()
        if len(self._answers) >= self._settings.max_answers:
            return None
        name = (key_id, claim.key)

        def ended(made: SharedAnswer) -> None:
            self._running.discard(made)
            if made.error is not None and name in self._answers and self._answers[name][1] is made:
                del self._answers[name]
            making.ended(made)

        shared = SharedAnswer(replace(making, ended=ended), self._settings.grace_s, self._clock)
        self._answers[name] = (claim.digest, shared)
        self._running.add(shared)
        return shared

    def _forget_old(self) -> None:
        oldest = self._clock() - self._settings.lifetime_s
        for name, (_, shared) in tuple(self._answers.items()):
            if shared.ended_at is not None and shared.ended_at < oldest:
                del self._answers[name]

    def _make_room(self) -> None:
        """For one more: the oldest that have ended go first. One that runs and has grown beyond all bounds by itself
        is not repeated any more either; those who follow it get all of it."""
        self._forget_old()
        size = sum(shared.size for _, shared in self._answers.values())
        for name, (_, shared) in tuple(self._answers.items()):
            crowded = size > self._settings.max_bytes or len(self._answers) >= self._settings.max_answers
            if crowded and (shared.ended_at is not None or shared.size > self._settings.max_bytes):
                size -= shared.size
                del self._answers[name]

    async def close(self) -> None:
        """Give up those that still run."""
        await asyncio.gather(*(shared.give_up() for shared in tuple(self._running)))
        self._answers.clear()
