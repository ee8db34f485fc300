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
        self._stops = StopSequences(limits.stop) if limits.stop else None
        self._parts = PartSequencer()
        self._started = False
        self.text: list[str] = []
        """What was shown as text."""

    @property
    def cut(self) -> bool:
        """Nothing more of what the model says will be shown: it is to be stopped."""
        return self._budget.exceeded or self.stop_sequence is not None

    @property
    def stop_sequence(self) -> str | None:
        """Which one ended the answer."""
        return self._stops.hit if self._stops is not None else None

    @property
    def reason(self) -> FinishReason:
        """Why it ended, once it has."""
        if self.stop_sequence is not None:
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
            if text and not self.cut:
                events += self._pass(self._budget.take(kind, text))
        return events

    def end(self) -> list[StreamEvent]:
        """The events of what was held back; nothing more comes."""
        events = self._pass(self._budget.release())
        if self.stop_sequence is None:
            events += self._release()
        return [*events, *self._start(), *self._parts.close()]

    def finish(self, usage: Usage, session_id: str) -> Finished:
        """The last event."""
        return Finished(self.reason, usage, session_id, self.stop_sequence)

    def _pass(self, pieces: list[Piece]) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        for kind, text in pieces:
            if self._stops is None:
                events += self._show(kind, text)
            elif self._stops.hit is not None:
                break
            elif kind is PartKind.TEXT:
                events += self._show(kind, self._stops.feed(text))
            else:
                events += [*self._release(), *self._show(kind, text)]
        return events

    def _release(self) -> list[StreamEvent]:
        return self._show(PartKind.TEXT, self._stops.release()) if self._stops is not None else []

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
