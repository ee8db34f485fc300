"""What is known about a turn so far: for headers, the access log and metrics."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from lingma_gateway.events import FinishReason, Usage


def _unsigned_call_id() -> str:
    return f"call_{secrets.token_hex(12)}"


@dataclass(slots=True)
class TurnRecord:
    """Filled while the turn runs."""

    request_id: str
    key_id: str
    account: str | None = None
    model: str | None = None
    usage: Usage | None = None
    finish: FinishReason | None = None
    """Why the answer ended, once it has."""
    started_at: float = field(default_factory=time.monotonic)
    queued_s: float | None = None
    """How long it waited for its slot."""
    first_event_s: float | None = None
    degraded: list[str] = field(default_factory=list)
    """Parts of the request that the model could not see, by the names of their placeholders."""
    session: str | None = None
    """`hit`: the conversation went on in a session of Lingma's that was kept; `miss:` and why: in a new one."""
    ignored: list[str] = field(default_factory=list)
    """Fields of the request that had no effect, beside those that its dialect knows of."""
    mint_call: Callable[[], str] = _unsigned_call_id
    """Makes ids of calls; their form is the dialect's."""
    retries: int = 0
    """How often the model was asked again, because its answer had not the form that it must have."""

    def heard(self) -> None:
        """Something of the answer came."""
        if self.first_event_s is None:
            self.first_event_s = time.monotonic() - self.started_at
