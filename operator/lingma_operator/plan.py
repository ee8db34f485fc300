"""plan(desired, observed) -> Plan: what to write, and why. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lingma_operator.objects import Kind, Obj, content, covers, kind_of, stamp
from lingma_operator.observed import Observed, Ownership, ownership, terminating


@dataclass(frozen=True, slots=True)
class Plan:
    """Writes that make the world as desired; nothing to do when both are empty."""

    apply: tuple[Obj, ...] = ()
    delete: tuple[Obj, ...] = ()
    """Live objects that we once applied and that are no longer desired."""
    reasons: tuple[str, ...] = ()
    """One sentence a write, for the log."""
    conflicts: tuple[str, ...] = ()
    """Objects of our names that are not ours. While there is one, nothing is written: a pod must not mount a
    stranger's Secret."""
    waiting: tuple[str, ...] = ()
    """Objects that have to be gone before they can be made anew. While there is one, nothing is written."""


def plan(desired: Sequence[Obj], observed: Observed, verified: Mapping[Kind, str]) -> Plan:
    """Compare what should be with what is.

    `verified` holds, by kind, the `content` hash of the object as the API server answered our last apply: where it
    writes a value in another form than ours, that object still counts as unchanged.
    """
    conflicts, waiting = _hindrances(observed)
    if conflicts or waiting:
        return Plan(conflicts=conflicts, waiting=waiting)
    apply: list[Obj] = []
    reasons: list[str] = []
    for wanted in desired:
        kind = kind_of(wanted)
        reason = _why_apply(wanted, observed.children.get(kind), verified.get(kind))
        if reason is not None:
            apply.append(wanted)
            reasons.append(f"{_named(kind, wanted)} {reason}")
    kept = {kind_of(wanted) for wanted in desired}
    delete = [(kind, live) for kind, live in observed.children.items() if kind not in kept and stamp(live) is not None]
    reasons += [f"{_named(kind, live)} is no longer wanted" for kind, live in delete]
    return Plan(tuple(apply), tuple(live for _, live in delete), tuple(reasons))


def _hindrances(observed: Observed) -> tuple[tuple[str, ...], tuple[str, ...]]:
    conflicts: list[str] = []
    waiting: list[str] = []
    for kind, live in observed.children.items():
        owner = ownership(live, observed.account.identity)
        if owner is Ownership.FOREIGN:
            conflicts.append(_named(kind, live))
        elif owner is Ownership.PREDECESSOR or terminating(live):
            waiting.append(_named(kind, live))
    return tuple(conflicts), tuple(waiting)


def _why_apply(wanted: Obj, live: Obj | None, verified: str | None) -> str | None:
    if live is None:
        return "does not exist"
    if stamp(live) != stamp(wanted):
        return "is of an older form"
    if not covers(live, wanted) and content(live) != verified:
        return "was edited"
    return None


def _named(kind: Kind, obj: Obj) -> str:
    return f'{kind.title} "{obj["metadata"]["name"]}"'
