"""One client's answer, from the pieces of one or several asks. Pure.

A piece goes through the budget (`max_tokens`), then, when it is text, through the stop sequences, and becomes events by
the sequencer.
"""

from dataclasses import dataclass

from lingma_gateway.answers.budget import Piece, TokenBudget
from lingma_gateway.answers.stops import StopSequences
from lingma_gateway.conversation import Turn
from lingma_gateway.events import Finished, FinishReason, PartKind, PartSequencer, Started, StreamEvent, Usage


@dataclass(frozen=True, slots=True)
class Limits:
    """What ends an answer before the model does."""

    max_tokens: int | None = None
    stop: tuple[str, ...] = ()

    @classmethod
    def of(cls, turn: Turn) -> "Limits":
        """Those that the client asked for."""
        return cls(turn.max_tokens, turn.stop)


class Answer:
    """`read` what comes, until the model ends or `cut` says that it is to be stopped; then `end`, then `finish`."""

    def __init__(self, model: str, input_tokens: int, limits: Limits) -> None:
        self._model = model
        self._input_tokens = input_tokens
        self._budget = TokenBudget(limits.max_tokens)
        self._stops = StopSequences(limits.stop)
        self._parts = PartSequencer()
        self._started = False
        self.text: list[str] = []
        """What was shown as text."""

    @property
    def cut(self) -> bool:
        """Nothing more of what the model says will be shown: it is to be stopped."""
        return self._budget.exceeded or self._stops.hit is not None

    @property
    def reason(self) -> FinishReason:
        """Why it ended, once it has."""
        if self._stops.hit is not None:
            return FinishReason.STOP_SEQUENCE
        return FinishReason.LENGTH if self._budget.exceeded else FinishReason.STOP

    @property
    def usage(self) -> Usage:
        """Tokens so far, estimated."""
        return Usage(self._input_tokens, self._budget.tokens, True, self._budget.reasoning_tokens)

    def read(self, pieces: list[Piece]) -> list[StreamEvent]:
        """The events of some pieces; what comes once the answer is cut has none."""
        events: list[StreamEvent] = []
        for kind, text in pieces:
            if self.cut:
                break
            fitting = self._budget.take(kind, text)
            if kind is PartKind.TEXT:
                events += self._show(kind, self._stops.feed(fitting))
            elif fitting:
                events += [*self._show(PartKind.TEXT, self._stops.release()), *self._show(kind, fitting)]
        return events

    def end(self) -> list[StreamEvent]:
        """The events of what was held back; nothing more comes."""
        return [*self._show(PartKind.TEXT, self._stops.release()), *self._start(), *self._parts.close()]

    def finish(self, usage: Usage, session_id: str) -> Finished:
        """The last event."""
        return Finished(self.reason, usage, session_id, self._stops.hit)

    def _show(self, kind: PartKind, text: str) -> list[StreamEvent]:
        if not text:
            return []
        if kind is PartKind.TEXT:
            self.text.append(text)
        return [*self._start(), *self._parts.delta(kind, text)]

    def _start(self) -> list[StreamEvent]:
        if self._started:
            return []
        self._started = True
        return [Started(self._model, self._input_tokens)]
