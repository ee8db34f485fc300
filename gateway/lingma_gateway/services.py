"""Everything that routes need, made once and passed explicitly."""

from dataclasses import dataclass, field

from lingma_gateway.identity import Identity
from lingma_gateway.lingma.models import Names
from lingma_gateway.pool import Pool
from lingma_gateway.sessions.cache import SessionCache
from lingma_gateway.sessions.responses import ResponseStore
from lingma_gateway.settings import Settings
from lingma_gateway.sharing import SharedAnswers
from lingma_gateway.smoke.runner import SmokeRunner
from lingma_gateway.telemetry.metrics import Metrics
from lingma_gateway.telemetry.usage import UsageTotals
from lingma_gateway.turns import Turns


@dataclass(slots=True)
class Drain:
    """Set when the process has been told to end."""

    draining: bool = False
    """Not ready any more; requests are still served."""
    closed: bool = False
    """New requests are refused."""


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    pool: Pool
    turns: Turns
    metrics: Metrics
    identity: Identity
    names: Names
    sessions: SessionCache | None = None
    """None: each turn has a session of its own."""
    responses: ResponseStore | None = None
    """None: by setting, nothing is kept."""
    drain: Drain = field(default_factory=Drain)
    usage: UsageTotals = field(default_factory=UsageTotals)
    smoke: SmokeRunner = field(default_factory=SmokeRunner)
    shared_answers: SharedAnswers = field(default_factory=SharedAnswers)
