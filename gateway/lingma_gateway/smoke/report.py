"""What a self-check found, as JSON that `lingma-sim start --report` reads too. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from lingma_contract.masking import Masker


class Outcome(StrEnum):
    """How a step went."""

    AS_DOCUMENTED = "as documented"
    DIFFERS = "differs"
    NOT_TRIED = "not tried"


class Name(StrEnum):
    """The steps, in the order in which they are taken."""

    INITIALIZE = "initialize"
    AUTH = "auth"
    MODELS = "models"
    CHAT = "chat"
    MEMORY = "memory"
    ONE_TURN = "turns-1"
    TWO_TURNS = "turns-2"
    FOUR_TURNS = "turns-4"
    CANCEL = "cancel"
    REFRESH = "refresh"
    TOOL = "tool"
    TOOLS = "tools"


DOCUMENTED: Mapping[Name, str] = {
    Name.INITIALIZE: "the first call; answers capabilities, serverInfo (lingma and its version) and experimental",
    Name.AUTH: "auth/status tells status 2 and whitelist 3 when the account is usable, and when the login ends",
    Name.MODELS: "config/queryModels lists models in five groups; {} when logged out",
    Name.CHAT: "process steps, a title, chat/answer in pieces, then chat/finish with status 200; its log counts tokens",
    Name.MEMORY: "a question with isReply and the session's id knows what was said before in that session",
    Name.ONE_TURN: "a turn takes a few seconds",
    Name.TWO_TURNS: "no limit on turns at once is documented",
    Name.FOUR_TURNS: "no limit on turns at once is documented",
    Name.CANCEL: "chat/stop is acknowledged, then chat/finish has the reason cancelled, both within a second",
    Name.REFRESH: "a new connection begins with initialize and finds the same login",
    Name.TOOL: "in agent mode tool/call/sync or tool/invoke name a call by toolCallId",
    Name.TOOLS: "nothing: how well a model calls tools that the prompt describes is to be found out",
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of a step."""

    outcome: Outcome
    finding: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    """For the report's own fields: `auth`, `models`, `latency` and so on."""


def judged(differences: Iterable[str], otherwise: str, **facts: Any) -> Judgement:
    """DIFFERS with the differences, or AS_DOCUMENTED when there are none."""
    found = "; ".join(differences)
    return Judgement(Outcome.DIFFERS if found else Outcome.AS_DOCUMENTED, found or otherwise, facts)


def not_tried(why: str) -> Judgement:
    """A step that could not be taken."""
    return Judgement(Outcome.NOT_TRIED, why)


@dataclass(frozen=True, slots=True)
class Step:
    """One step, and how long it took in milliseconds."""

    name: Name
    judgement: Judgement
    ms: int

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name.value,
            "outcome": self.judgement.outcome.value,
            "finding": self.judgement.finding,
            "documented": DOCUMENTED[self.name],
            "ms": self.ms,
        }


def assemble(steps: Iterable[Step], time: str, total_ms: int, names: Iterable[str]) -> dict[str, Any]:
    """The whole report. `names` are people's and their tokens: they are masked in every text."""
    taken = list(steps)
    masker = Masker(known=[name for name in names if len(name) > 2])
    report: dict[str, Any] = {
        "ok": all(step.judgement.outcome is Outcome.AS_DOCUMENTED for step in taken),
        "time": time,
        "totalMs": total_ms,
        "steps": [_masked(step.as_json(), masker) for step in taken],
    }
    latency: dict[str, Any] = {}
    turns_at_once = 0
    for step in taken:
        facts = dict(step.judgement.facts)
        latency |= facts.pop("latency", {})
        turns_at_once = max(turns_at_once, facts.pop("concurrentTurns", 0))
        report |= facts
    if latency:
        report["latency"] = latency
    if turns_at_once:
        report["concurrentTurns"] = turns_at_once
    return report


def _masked(step: dict[str, Any], masker: Masker) -> dict[str, Any]:
    # `reason` is where Lingma says why: the masker keeps such words and takes out who is meant.
    return step | {"finding": masker.message({"params": {"reason": step["finding"]}})["params"]["reason"]}


def names_in(status: object) -> list[str]:
    """What an answer of `auth/status` tells about people, and its tokens."""
    if not isinstance(status, Mapping):
        return []
    values = (status.get(name) for name in _TELLING)
    return [value for value in values if isinstance(value, str) and value]


_TELLING = (
    *("name", "id", "accountId", "token", "refreshToken", "orgId", "orgName", "yxUid", "avatarUrl", "email"),
    "securityOauthToken",
)
