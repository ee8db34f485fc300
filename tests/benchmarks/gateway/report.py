"""The figures as a table, the gateway's beside the floor's."""

import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.gateway.stages import Figures, Plan

_Row = tuple[str, Callable[[Figures], float]]
_STREAMING = (
    ("CPU per event, µs", "cpu_us_per_event"),
    ("delay p50, µs", "delay_p50_us"),
    ("delay p99, µs", "delay_p99_us"),
    ("events per second", "events_per_s"),
    ("core used", "core_used"),
    ("core denied", "core_denied"),
)
_ONCE = (
    ("first byte, alone, p50, µs", "first", "first_byte_p50_us"),
    ("first byte, alone, p99, µs", "first", "first_byte_p99_us"),
    ("first event's delay, alone, p50, µs", "first", "first_event_delay_p50_us"),
    ("first event's delay, alone, p99, µs", "first", "first_event_delay_p99_us"),
    ("short answers per second", "short", "requests_per_s"),
    ("CPU per short answer, µs", "short", "cpu_us_per_request"),
)


def machine() -> dict[str, Any]:
    """Where it ran, and who else did."""
    models = [
        line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
    }


def table(plan: Plan, figures: dict[str, Figures]) -> str:
    """One line a figure: floor, gateway, and how many times the floor's the gateway's is."""
    floor, gateway = figures["floor"], figures["gateway"]
    lines = [f"{'':44}{'floor':>12}{'gateway':>12}{'ratio':>8}"]
    for title, value in _rows(plan):
        measured, least = value(gateway), value(floor)
        ratio = f"{measured / least:8.2f}" if least else f"{'':8}"
        lines.append(f"{title:44}{_short(least):>12}{_short(measured):>12}{ratio}")
    return "\n".join(lines)


def _rows(plan: Plan) -> Iterator[_Row]:
    for title, stage, name in _ONCE:
        yield title, lambda of, stage=stage, name=name: of[stage][name]  # type: ignore[misc]
    for stage in ("paced", "unpaced"):
        for count in map(str, plan.streams):
            for title, name in _STREAMING:
                said = f"{stage}, {count} streams: {title}"
                yield said, lambda of, stage=stage, count=count, name=name: of[stage][count][name]  # type: ignore[misc]
    most = str(plan.streams[-1])
    yield "memory when idle, MiB", lambda of: of["idle_kib"] / 1024
    yield f"memory with {most} streams, MiB", lambda of: of["paced"][most]["resident_kib"] / 1024


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}"
