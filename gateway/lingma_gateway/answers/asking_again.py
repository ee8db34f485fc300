"""Why and how the model is asked once more, in the same session, before its client hears of it. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class Why(StrEnum):
    """What was wrong. The values are labels of logs and metrics."""

    OUTPUT = "output"
    """The answer has not the form that was asked for."""
    CALL = "call"
    """A call cannot be executed."""
    NO_CALL = "no_call"
    """There is no call, where the request demands one."""


@dataclass(frozen=True, slots=True)
class Again:
    """The model is to be asked once more."""

    why: Why
    reason: str
    """For the client, should the model not better itself; it quotes nothing of the answer."""
    question: str
