"""What is measured, in which order: the floor and the gateway in turn, each on a core of its own, in one run."""

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.gateway import load, processes
from tests.benchmarks.gateway.load import Job
from tests.benchmarks.gateway.processes import Process

Figures = dict[str, Any]
_MODULE = "tests.benchmarks.gateway"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    streams: tuple[int, ...] = (1, 10, 100, 500)
    pace_ms: int = 20
    seconds: float = 5.0
    """Of each paced stage, and of the short answers."""
    unpaced_events: int = 60_000
    """Of all streams of a stage together."""
    alone: int = 100
    """Streams one after another, for the first byte."""
    at_once: int = 32
    """Connections that ask for short answers."""
    short_events: int = 3


FULL = Plan()
QUICK = Plan(streams=(1, 100, 500), seconds=2.0, unpaced_events=20_000, alone=30)
TINY = Plan(streams=(3,), seconds=1.0, unpaced_events=30_000, alone=3, at_once=2)
"""Measures nothing: that it counts every event is a test."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A process under test, its port and its upstream."""

    name: str
    server: Process
    port: int
    upstream: Process


SUBJECTS = ("floor", "gateway")


def measure(plan: Plan, say: Callable[[str], None]) -> dict[str, Figures]:
    """The figures of each subject, by its name.

    Raises:
        Failed: a process failed, or an event was lost.
    """
    return {name: _measure(name, plan, say) for name in SUBJECTS}


def _measure(name: str, plan: Plan, say: Callable[[str], None]) -> Figures:
    with tempfile.TemporaryDirectory(prefix="gateway-benchmark-") as folder:
        with _running(name, Path(folder)) as subject:
            figures: Figures = {"idle_kib": load.resident_kib(subject.server.pid), "paced": {}, "unpaced": {}}
            received = 0
            for kind, key, job in _jobs(subject, plan):
                say(f"{name}: {kind} {key}".rstrip())
                done = _do(job, Path(folder))
                received += _all_of(job, done)
                if key:
                    figures[kind][key] = done
                else:
                    figures[kind] = done
        # It has ended, and said on its way out what it had pushed.
        figures |= {"received": received, "pushed": subject.upstream.said("pushed")}
        figures["acknowledged"] = subject.upstream.said("acknowledged")
    if figures["pushed"] != received:
        raise processes.Failed(f"{name}: {figures['pushed']} events were pushed and {received} received")
    return figures


def _jobs(subject: Subject, plan: Plan) -> Iterator[tuple[str, str, Job]]:
    port, pid = subject.port, subject.server.pid
    yield "first", "", Job("first", port, pid, plan.alone, 3)
    yield "short", "", Job("short", port, pid, plan.at_once, plan.short_events, seconds=plan.seconds)
    for streams in plan.streams:
        events = max(10, int(plan.seconds * 1000 / plan.pace_ms))
        yield "paced", str(streams), Job("streams", port, pid, streams, events, plan.pace_ms * 1000)
    for streams in plan.streams:
        yield "unpaced", str(streams), Job("streams", port, pid, streams, max(10, plan.unpaced_events // streams))


def _do(job: Job, folder: Path) -> Figures:
    _, others = processes.cores()
    with processes.process(load.arguments(job), others, folder / "load.out") as clients:
        done: Figures = json.loads(clients.wait(load.LONGEST_S + 10))
        return done


def _all_of(job: Job, done: Figures) -> int:
    received: int = done["received"]
    expected = job.events * (done["requests"] if job.kind == "short" else job.streams)
    if received != expected:
        raise processes.Failed(f"{job}: {received} events were received instead of {expected}")
    return received


@contextmanager
def _running(name: str, folder: Path) -> Iterator[Subject]:
    alone, others = processes.cores()
    with ExitStack() as stack:
        upstream = stack.enter_context(
            processes.process(["-m", f"{_MODULE}.upstream"], others, folder / "upstream.out")
        )
        upstream_port = upstream.said("ports")[0]
        arguments, environment = _SERVERS[name](upstream_port, folder)
        server = stack.enter_context(processes.process(arguments, alone, folder / "server.out", environment))
        port = server.said("ports")[0]
        yield Subject(name, server, port, upstream)


def _floor(upstream_port: int, _folder: Path) -> tuple[list[str], dict[str, str]]:
    return ["-m", f"{_MODULE}.floor", str(upstream_port)], {}


def _gateway(upstream_port: int, folder: Path) -> tuple[list[str], dict[str, str]]:
    """As a person runs it, with every feature on; only what would refuse 500 streams is raised."""
    settings = {
        "HOME": str(folder),
        "LINGMA_WORK_DIR": str(folder),
        "LINGMA_SOCKET_PORT": str(upstream_port),
        "API_KEYS": load.KEY,
        "GATEWAY_MAX_IN_FLIGHT": "1000",
        "LINGMA_DRAIN_SECONDS": "1",
        "DRAIN_PROPAGATION_SECONDS": "0",
    }
    return ["-m", "lingma_gateway", "serve", "--port", "0"], settings


_SERVERS: dict[str, Callable[[int, Path], tuple[list[str], dict[str, str]]]] = {"floor": _floor, "gateway": _gateway}
