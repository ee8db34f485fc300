"""What is known about a turn so far: for headers, the access log and metrics."""

import time
from dataclasses import dataclass, field

from lingma_gateway.events import Usage


@dataclass(slots=True)
class TurnRecord:
    """Filled while the turn runs."""

    request_id: str
    key_id: str
    account: str | None = None
    model: str | None = None
    usage: Usage | None = None
    started_at: float = field(default_factory=time.monotonic)
    first_event_s: float | None = None
    degraded: list[str] = field(default_factory=list)
    """Parts of the request that the model could not see, by the names of their placeholders."""
    retries: int = 0
    """How often the model was asked again, because its answer had not the form that it must have."""

    def heard(self) -> None:
        """Something of the answer came."""
        if self.first_event_s is None:
            self.first_event_s = time.monotonic() - self.started_at
