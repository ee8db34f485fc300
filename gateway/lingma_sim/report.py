"""A smoke report: what one Lingma version was found to do, in the few points in which the simulator imitates it. Pure.

docs/simulator.md defines the format. What is left out keeps the simulator's own behaviour.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lingma_sim import catalog
from lingma_sim.faults import Chosen

LONGEST_MS = 600_000


class ReportError(ValueError):
    """A file that is no smoke report. Its text names the field."""


@dataclass(frozen=True, slots=True)
class Report:
    """What is imitated."""

    version: str | None = None
    models: Mapping[str, Any] | None = None
    faults: tuple[Chosen, ...] = ()
    first_token_seconds: float = 0.0
    chunk_seconds: float = 0.0


def parse(text: str) -> Report:
    """The report in a file's text.

    Raises:
        ReportError: it is no JSON object, or a field that is read is of another type.
    """
    try:
        given = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as problem:
        raise ReportError("the report is no JSON") from problem
    if not isinstance(given, dict):
        raise ReportError("the report is no JSON object")
    version = given.get("lingmaVersion")
    if version is not None and not isinstance(version, str):
        raise ReportError("lingmaVersion must be a text")
    latency = _object(given, "latency")
    return Report(
        version=version,
        models=_models(given.get("models")),
        faults=tuple(_faults(given, latency)),
        first_token_seconds=_milliseconds(latency, "firstTokenMs") / 1000,
        chunk_seconds=_milliseconds(latency, "chunkMs") / 1000,
    )


def _object(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = given.get(name, {})
    if not isinstance(value, dict):
        raise ReportError(f"{name} must be an object")
    return value


def _milliseconds(latency: Mapping[str, Any], name: str) -> float:
    value = latency.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST_MS:
        raise ReportError(f"latency.{name} must be milliseconds, up to {LONGEST_MS}")
    return float(value)


def _models(given: Any) -> Mapping[str, Any] | None:
    if given is None:
        return None
    if not isinstance(given, list):
        raise ReportError("models must be a list")
    models = [catalog.model(item, item) if isinstance(item, str) else item for item in given]
    if not all(isinstance(model, dict) and isinstance(model.get("key"), str) for model in models):
        raise ReportError("models must be keys, or objects with a key")
    return catalog.as_lists(models)


def _faults(given: Mapping[str, Any], latency: Mapping[str, Any]) -> list[Chosen]:
    """What a report says in the words of faults."""
    found = []
    auth = _object(given, "auth")
    for name, largest in (("status", 7), ("whitelist", 5)):
        if name in auth:
            if auth[name] not in range(1, largest + 1):
                raise ReportError(f"auth.{name} must be 1 to {largest}")
            found.append(Chosen(name, str(int(auth[name]))))
    initialize = _milliseconds(latency, "initializeMs") / 1000
    if initialize:
        found.append(Chosen("slow-initialize", str(initialize)))
    if given.get("concurrentTurns") == 1:
        found.append(Chosen("serial", "queue"))
    if given.get("askReply") == "never":
        found.append(Chosen("ask-reply", "never"))
    return found
