"""Each turn that reached an account is counted once: its tokens, how it ended, how soon it began."""

from lingma_contract.errors import Dialect
from lingma_gateway.record import TurnRecord
from lingma_gateway.services import Services


def count(services: Services, turn: TurnRecord, dialect: Dialect, *, failed: bool, cancelled: bool) -> None:
    """Count a turn that has ended."""
    if turn.account is not None:
        services.usage.add(turn.account, turn.key_id, turn.usage, failed=failed, cancelled=cancelled)
    metrics = services.metrics
    if turn.queued_s is not None:
        metrics.queue_seconds.observe(turn.queued_s)
    if turn.first_event_s is not None:
        metrics.first_token_seconds.labels(dialect.value).observe(turn.first_event_s)
    if turn.usage is not None:
        metrics.tokens.labels("input").inc(turn.usage.input_tokens)
        metrics.tokens.labels("output").inc(turn.usage.output_tokens)
