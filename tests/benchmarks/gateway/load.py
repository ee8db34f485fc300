"""The clients: `python -m tests.benchmarks.gateway.load JOB`, a job as JSON in, its figures as JSON out.

It also reads the CPU clock of the process under test, since only the clients know when every stream runs and none has
ended yet: what is measured lies between these two moments.
"""

import argparse
import asyncio
import json
import sys
import time
from array import array
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import orjson
import uvloop

from tests.benchmarks.gateway import wire

KEY = "sk-benchmark-0000000000000000"
"""The API key of the gateway under test."""
LONGEST_S = 120.0
"""For one job."""


@dataclass(frozen=True, slots=True)
class Job:
    """What one run of the clients does."""

    kind: str
    """`streams` all at once, `first` one after another, or `short` answers in a closed loop."""
    port: int
    pid: int
    """Of the process under test."""
    streams: int
    """At once; for `first`: one after another."""
    events: int
    pace_us: int = 0
    seconds: float = 0.0
    """Of a closed loop."""


@dataclass(slots=True)
class Clock:
    """What the process under test has used up to a moment."""

    at_s: float
    cpu_s: float
    waited_s: float
    """It was ready to run and something else had its core."""

    @staticmethod
    def read(pid: int) -> "Clock":
        """Now. The CPU clock of another process is its pid in the form of clock_getcpuclockid."""
        waited_ns = int(Path(f"/proc/{pid}/schedstat").read_text().split()[1])
        return Clock(time.monotonic(), time.clock_gettime((~pid << 3) | 2), waited_ns / 1e9)


def resident_kib(pid: int) -> int:
    """Its memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


class Window:
    """From when all streams run until the first one ends."""

    def __init__(self, streams: int, pid: int) -> None:
        self._idle = streams
        self._pid = pid
        self.events = 0
        self.begin: tuple[Clock, int] | None = None
        self.end: tuple[Clock, int] | None = None
        self.resident_kib = 0
        self.delays = array("q")
        """Microseconds; of the events in between."""

    @property
    def open(self) -> bool:
        return self.begin is not None and self.end is None

    def one_more_runs(self) -> None:
        self._idle -= 1
        if not self._idle:
            self.resident_kib = resident_kib(self._pid)
            self.begin = Clock.read(self._pid), self.events

    def one_ended(self) -> None:
        if self.open:
            self.end = Clock.read(self._pid), self.events


class Stream(asyncio.Protocol):
    """One client with one question."""

    def __init__(self, body: bytes, window: Window) -> None:
        self._body = body
        self._window = window
        self._rest = b""
        self._asked_us = 0
        self.first_byte_us = 0
        """After the request was sent."""
        self.first_delay_us = 0
        """That the first event gained."""
        self.received = 0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by its type

    def ask(self) -> None:
        """Send the question."""
        self._asked_us = wire.now_us()
        self.transport.write(self._body)

    def data_received(self, data: bytes) -> None:
        now = wire.now_us()
        if not self.first_byte_us:
            if b" 200 " not in data[:20]:
                self.ended.set_exception(RuntimeError(f"not answered: {data[:600]!r}"))
                return
            self.first_byte_us = now - self._asked_us
        if self._rest:
            data = self._rest + data
        # What has not ended yet is looked at when it has: an event ends with an empty line.
        end = data.rfind(b"\n\n") + 2
        stamps = wire.STAMP.findall(data, 0, end) if end > 1 else []
        self._rest = data[end:] if end > 1 else data
        if stamps:
            self._heard([now - int(stamp) for stamp in stamps])
        if wire.END in data or self._rest.endswith(b"0\r\n\r\n"):
            self._window.one_ended()
            if not self.ended.done():
                self.ended.set_result(None)

    def _heard(self, delays: Sequence[int]) -> None:
        window = self._window
        window.events += len(delays)
        if window.open:
            window.delays.extend(delays)
        if not self.received:
            self.first_delay_us = delays[0]
            window.one_more_runs()
        self.received += len(delays)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(RuntimeError(f"the connection ended after {self.received} events"))


def request(order: wire.Order, *, stream: bool) -> bytes:
    """A chat completion that asks for `order`."""
    asked = {"model": "org_auto", "stream": stream, "messages": [{"role": "user", "content": order.question()}]}
    body = orjson.dumps(asked | ({"stream_options": {"include_usage": True}} if stream else {}))
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: {wire.HOST}\r\nauthorization: Bearer {KEY}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def streams(job: Job) -> dict[str, object]:
    """All streams at once; the upstream begins when it has all questions."""
    window = Window(job.streams, job.pid)
    body = request(wire.Order(job.events, job.pace_us, job.streams), stream=True)
    clients = [await _connected(body, window, job.port) for _ in range(job.streams)]
    for client in clients:
        client.ask()
    await asyncio.gather(*(client.ended for client in clients))
    for client in clients:
        client.transport.close()
    figures = _in_window(window) | _firsts(clients)
    return figures | {"received": sum(client.received for client in clients), "resident_kib": window.resident_kib}


async def first(job: Job) -> dict[str, object]:
    """Streams one after another: what a client alone waits for its first byte."""
    window = Window(job.streams, job.pid)
    body = request(wire.Order(job.events, job.pace_us, 1), stream=True)
    clients = []
    for _ in range(job.streams):
        client = await _connected(body, window, job.port)
        client.ask()
        await client.ended
        client.transport.close()
        clients.append(client)
    return _firsts(clients) | {"received": window.events}


async def short(job: Job) -> dict[str, object]:
    """Bodies in a closed loop: each connection asks again as soon as it is answered."""
    body = request(wire.Order(job.events, job.pace_us, 1), stream=False)
    before, received, answered = Clock.read(job.pid), 0, 0
    deadline = before.at_s + job.seconds

    async def ask_on() -> None:
        nonlocal received, answered
        reader, writer = await asyncio.open_connection(wire.HOST, job.port)
        while time.monotonic() < deadline:
            writer.write(body)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            received += len(wire.STAMP.findall(await reader.readexactly(length)))
            answered += 1
        writer.close()

    await asyncio.gather(*(ask_on() for _ in range(job.streams)))
    after = Clock.read(job.pid)
    return {
        "requests_per_s": answered / (after.at_s - before.at_s),
        "cpu_us_per_request": (after.cpu_s - before.cpu_s) / answered * 1e6,
        "requests": answered,
        "received": received,
    }


async def _connected(body: bytes, window: Window, port: int) -> Stream:
    _, client = await asyncio.get_running_loop().create_connection(lambda: Stream(body, window), wire.HOST, port)
    return client


def _in_window(window: Window) -> dict[str, object]:
    if window.begin is None or window.end is None or window.end[1] <= window.begin[1]:
        raise RuntimeError("the streams did not all run at the same time: more events are needed")
    (begun, events_before), (ended, events_after) = window.begin, window.end
    events, took_s = events_after - events_before, ended.at_s - begun.at_s
    cpu_s = ended.cpu_s - begun.cpu_s
    return {
        "cpu_us_per_event": cpu_s / events * 1e6,
        "events_per_s": events / took_s,
        "core_used": cpu_s / took_s,
        "core_denied": (ended.waited_s - begun.waited_s) / took_s,
        **_quantiles("delay", window.delays),
    }


def _firsts(clients: Sequence[Stream]) -> dict[str, object]:
    first_bytes = [client.first_byte_us for client in clients]
    return _quantiles("first_byte", first_bytes) | _quantiles("first_event_delay", [c.first_delay_us for c in clients])


def _quantiles(name: str, microseconds: Sequence[int]) -> dict[str, object]:
    ordered = sorted(microseconds)
    return {
        f"{name}_p{percent}_us": ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] for percent in (50, 99)
    }


async def _run(job: Job) -> dict[str, object]:
    async with asyncio.timeout(LONGEST_S):
        return await {"streams": streams, "first": first, "short": short}[job.kind](job)


def arguments(job: Job) -> list[str]:
    """Of the process that does it."""
    return ["-m", "tests.benchmarks.gateway.load", json.dumps(asdict(job))]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("job", type=json.loads)
    json.dump(uvloop.run(_run(Job(**parser.parse_args().job))), sys.stdout)
