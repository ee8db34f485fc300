"""One client's answer, from the pieces of one or several asks. Pure.

A piece goes through the budget (`max_tokens`), then, when it is text, through the stop sequences; text that must have
a form is held until it is known to have it. The sequencer makes events of what is left.
"""

from dataclasses import dataclass
from enum import StrEnum

from lingma_gateway.answers import structured
from lingma_gateway.answers.budget import Piece, TokenBudget
from lingma_gateway.answers.stops import StopSequences
from lingma_gateway.answers.structured import Fitting, StructuredOutput
from lingma_gateway.conversation import Turn
from lingma_gateway.errors import OutputInvalid
from lingma_gateway.events import Finished, FinishReason, PartKind, PartSequencer, Started, StreamEvent, Usage


class Why(StrEnum):
    """Why the model is asked again. The values are labels of logs and metrics."""

    OUTPUT = "output"
    """Its answer has not the form that was asked for."""


@dataclass(frozen=True, slots=True)
class Again:
    """The model is to be asked once more, in the same session."""

    why: Why
    reason: str
    """For the client, should the model not better itself; it quotes nothing of the answer."""
    question: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the client wants of the answer's text."""

    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    form: StructuredOutput | None = None

    @classmethod
    def of(cls, turn: Turn) -> "Wanted":
        """What `turn` says.

        Raises:
            InvalidRequest: it cannot be given; `param` names the field.
        """
        return cls(turn.max_tokens, turn.stop, StructuredOutput.of(turn.output) if turn.output is not None else None)

    @property
    def reminder(self) -> str:
        """What the end of the prompt says about it."""
        return self.form.instruction if self.form is not None else ""


class Answer:
    """For each question: `read` what comes, until the model ends or `cut` says that it is to be stopped, then `end`.

    When that does not say to ask again, `finish`.
    """

    def __init__(self, model: str, input_tokens: int, wanted: Wanted) -> None:
        self._model = model
        self._input_tokens = input_tokens
        self._wanted = wanted
        self._parts = PartSequencer()
        self._started = False
        self.text: list[str] = []
        """What was shown as text."""
        self._begin()

    def _begin(self) -> None:
        """What is new with each question."""
        self._budget = TokenBudget(self._wanted.max_tokens)
        self._stops = StopSequences(self._wanted.stop)
        self._held: list[str] = []

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
        """Tokens of the question that is being answered, estimated."""
        return Usage(self._input_tokens, self._budget.tokens, True, self._budget.reasoning_tokens)

    def read(self, pieces: list[Piece]) -> list[StreamEvent]:
        """The events of some pieces; what comes once the answer is cut has none."""
        events: list[StreamEvent] = []
        for kind, text in pieces:
            if self.cut:
                break
            fitting = self._budget.take(kind, text)
            if kind is PartKind.TEXT:
                events += self._tell(self._stops.feed(fitting))
            elif fitting:
                events += [*self._tell(self._stops.release()), *self._show(kind, fitting)]
        return events

    def end(self, *, may_ask: bool) -> list[StreamEvent] | Again:
        """The events of what was held back, or that the model is to be asked again, where that is allowed.

        Raises:
            OutputInvalid: it may not, and the answer has not the form that it must have.
        """
        events = self._tell(self._stops.release())
        told = self._formed()
        if isinstance(told, Again):
            if not may_ask:
                raise OutputInvalid(f"the model did not give what the request asks for: {told.reason}")
            self._begin()
            return told
        return [*events, *self._show(PartKind.TEXT, told), *self._start(), *self._parts.close()]

    def finish(self, usage: Usage, session_id: str) -> Finished:
        """The last event."""
        return Finished(self.reason, usage, session_id, self._stops.hit)

    def _tell(self, text: str) -> list[StreamEvent]:
        """Text that nothing cuts off."""
        if self._wanted.form is None:
            return self._show(PartKind.TEXT, text)
        self._held.append(text)
        return []

    def _formed(self) -> str | Again:
        """The text that was held. What was cut is told as far as it came: it cannot have its form."""
        text = "".join(self._held)
        if self._wanted.form is None or self.cut:
            return text
        read = self._wanted.form.read(text)
        return read.text if isinstance(read, Fitting) else Again(Why.OUTPUT, read.reason, structured.again(read))

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
