"""One client's answer, from the pieces of one or several asks. Pure.

A piece goes through the budget (`max_tokens`); of text, calls of tools are told apart; the rest goes through the stop
sequences; text that must have a form is held until it is known to have it. The sequencer makes events of what is left.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from lingma_gateway.answers import structured
from lingma_gateway.answers.asking_again import Again, Why
from lingma_gateway.answers.budget import Piece, TokenBudget
from lingma_gateway.answers.calls import Arguments, CallReader, Closed, Made, Shown
from lingma_gateway.answers.stops import StopSequences
from lingma_gateway.answers.structured import Fitting, StructuredOutput
from lingma_gateway.conversation import Text, ToolCall, Turn
from lingma_gateway.errors import OutputInvalid
from lingma_gateway.events import (
    Call,
    Finished,
    FinishReason,
    PartKind,
    PartSequencer,
    Result,
    Started,
    StreamEvent,
    Usage,
)
from lingma_gateway.tokens import estimate
from lingma_gateway.tools import CallFailed, ToolSet, demand

NO_TOOLS = ToolSet()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the client wants of the answer."""

    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    form: StructuredOutput | None = None
    toolset: ToolSet = NO_TOOLS

    @classmethod
    def of(cls, turn: Turn) -> "Wanted":
        """What `turn` says.

        Raises:
            InvalidRequest: it cannot be given; `param` names the field.
        """
        form = StructuredOutput.of(turn.output) if turn.output is not None else None
        toolset = ToolSet.of(turn.tools, turn.tool_choice, turn.parallel_tool_calls)
        return cls(turn.max_tokens, turn.stop, form, toolset)

    @property
    def plain(self) -> bool:
        """Whatever the model says is the answer, as it comes."""
        return self.max_tokens is None and not self.stop and self.form is None and not self.toolset.tools

    @property
    def reminder(self) -> str:
        """What the end of the prompt says about it."""
        form = self.form.instruction if self.form is not None else ""
        if form and self.toolset.tools:
            form = f"If you call no tool: {form}"
        return "\n".join(text for text in (demand(self.toolset), form) if text)


@dataclass(frozen=True, slots=True)
class Ended:
    """What is left when the model has answered a question."""

    events: list[StreamEvent]
    again: Again | None = None
    """The model is to be asked once more."""
    failed: tuple[CallFailed, ...] = ()
    """The calls of this answer that cannot be executed."""


class Answer:
    """For each question: `read` what comes, until the model ends or `cut` says that it is to be stopped, then `end`.

    When that does not say to ask again, `finish`.
    """

    __slots__ = (
        "_aside",
        "_budget",
        "_called",
        "_held",
        "_in_call",
        "_input_tokens",
        "_later",
        "_model",
        "_parts",
        "_plain",
        "_started",
        "_stops",
        "_unanswered",
        "_wanted",
        "calls",
        "text",
    )

    def __init__(self, model: str, input_tokens: int, wanted: Wanted, mint: Callable[[], str]) -> None:
        """`mint` makes ids of calls."""
        self._model = model
        self._input_tokens = input_tokens
        self._wanted = wanted
        self._parts = PartSequencer()
        self._started = False
        self._plain = wanted.plain
        self._in_call = False
        self._called = False
        """The client has been given a whole call. `made` is ahead of that: it has the calls of all that was read."""
        self._later: list[str] = []
        """Reasoning that came in the middle of a call."""
        self._aside: list[tuple[Call | Result, str]] = []
        """What Lingma's own tools did in the middle of one."""
        self._unanswered: set[str] = set()
        """Calls of Lingma's own tools that were shown, and no result of them."""
        self.text: list[str] = []
        """What was shown as text."""
        self.calls = CallReader(wanted.toolset, mint) if wanted.toolset.tools else None
        self._begin()

    def _begin(self) -> None:
        """What is new with each question."""
        self._budget = TokenBudget(self._wanted.max_tokens)
        self._stops = StopSequences(self._wanted.stop)
        self._held: list[str] = []

    @property
    def made(self) -> list[Made]:
        """The calls that the client has been given whole."""
        return self.calls.made if self.calls is not None else []

    @property
    def failed(self) -> tuple[CallFailed, ...]:
        """The calls of the last answer that cannot be executed."""
        return tuple(self.calls.failed) if self.calls is not None else ()

    @property
    def parts(self) -> tuple[Text | ToolCall, ...]:
        """The answer as its client sends it back."""
        made = (ToolCall(each.head.id, each.head.name, each.arguments, each.head.custom) for each in self.made)
        text = "".join(self.text)
        return (*((Text(text),) if text else ()), *made)

    @property
    def cut(self) -> bool:
        """Nothing more of what the model says will be shown: it is to be stopped."""
        if self._plain:
            return False
        return self._budget.exceeded or self._stops.hit is not None or (self.calls is not None and self.calls.stopped)

    @property
    def reason(self) -> FinishReason:
        """Why it ended, once it has."""
        if self._stops.hit is not None:
            return FinishReason.STOP_SEQUENCE
        if self._is_incomplete():
            return FinishReason.LENGTH
        return FinishReason.TOOL_CALLS if self.made or self._unanswered else FinishReason.STOP

    @property
    def usage(self) -> Usage:
        """Tokens of the question that is being answered, estimated."""
        # The text of a plain answer is counted as a whole.
        uncounted = estimate("".join(self.text)) if self._plain else 0
        return Usage(self._input_tokens, self._budget.tokens + uncounted, True, self._budget.reasoning_tokens)

    def read(self, pieces: list[Piece]) -> list[StreamEvent]:
        """The events of some pieces; what comes once the answer is cut has none."""
        events: list[StreamEvent] = []
        for kind, text in pieces:
            if self._plain:
                # As nearly always for each token: nothing can hold it, cut it or make anything else of it.
                if kind is not PartKind.TEXT:
                    self._budget.count(kind, text)
                events += self._show(kind, text)
                continue
            if self.cut:
                break
            fitting = self._budget.take(kind, text)
            if kind is PartKind.TEXT:
                events += self._speak(fitting)
            elif fitting:
                events += self._think(fitting)
        return events

    def show_call(self, head: Call, arguments: str) -> list[StreamEvent]:
        """The events of a call of a tool of Lingma's own, which has nothing to do with what the model writes."""
        self._unanswered.add(head.id)
        return self._show_whole(head, arguments)

    def show_result(self, head: Result, text: str) -> list[StreamEvent]:
        """The events of what came of one that was shown."""
        self._unanswered.discard(head.call_id)
        return self._show_whole(head, text)

    def _show_whole(self, head: Call | Result, text: str) -> list[StreamEvent]:
        if self._in_call:
            self._aside.append((head, text))
            return []
        spoken = [*self._tell(self._stops.release()), *self._start()]
        kind = PartKind.TOOL_CALL if isinstance(head, Call) else PartKind.TOOL_RESULT
        return [*spoken, *self._parts.begin(head), *self._parts.delta(kind, text), *self._parts.close()]

    def end(self, *, may_ask: bool) -> Ended:
        """The events of what was held back, and whether the model is to be asked again, where that is allowed.

        Raises:
            GatewayError: it may not, and the answer is not what the client demands.
        """
        events: list[StreamEvent] = []
        if self.calls is not None and self._stops.hit is None:
            events += self._show_all(self.calls.finish(cut=self._is_incomplete()))
        if self.calls is not None and self._stops.hit is None:
            again = self.calls.wanting()
            if again is not None and may_ask:
                return self._ask(again, [*events, *self._tell(self._stops.release())])
            events += self._show_all(self.calls.conclude())
        events += self._tell(self._stops.release())
        told = self._formed()
        if not isinstance(told, Again):
            events += self._show(PartKind.TEXT, told)
            return Ended([*events, *self._start(), *self._close_call(), *self._parts.close()], failed=self.failed)
        if not may_ask:
            raise OutputInvalid(f"the model did not give what the request asks for: {told.reason}")
        return self._ask(told, events)

    def _ask(self, again: Again, events: list[StreamEvent]) -> Ended:
        ended = Ended(events, again, self.failed)
        self._begin()
        if self.calls is not None:
            self.calls.again()
        return ended

    def finish(self, usage: Usage, session_id: str) -> Finished:
        """The last event."""
        return Finished(self.reason, usage, session_id, self._stops.hit)

    def _is_incomplete(self) -> bool:
        """Whether the model could not say all that it wanted to."""
        if self.calls is None:
            return self._budget.exceeded
        return self.calls.cut or (self._budget.exceeded and not self.calls.stopped)

    def _speak(self, text: str) -> list[StreamEvent]:
        """What the model says."""
        if self.calls is not None:
            return self._show_all(self.calls.read(text))
        return self._tell(self._stops.feed(text))

    def _think(self, text: str) -> list[StreamEvent]:
        if self._in_call:
            self._later.append(text)
            return []
        return [*self._tell(self._stops.release()), *self._show(PartKind.REASONING, text)]

    def _show_all(self, shown: list[Shown]) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        for each in shown:
            if self._stops.hit is not None:
                break
            match each:
                case str():
                    events += self._tell(self._stops.feed(each))
                case Call():
                    events += self._open_call(each)
                case Arguments(text):
                    events += self._parts.delta(PartKind.TOOL_CALL, text)
                case Closed():
                    self._called = True
                    events += self._close_call()
                case _:
                    assert_never(each)
        return events

    def _open_call(self, head: Call) -> list[StreamEvent]:
        """A call wins over the form that text must have: what was held is told as it is."""
        events = self._tell(self._stops.release())
        events += self._show(PartKind.TEXT, "".join(self._held))
        self._held = []
        self._in_call = True
        return [*events, *self._start(), *self._parts.begin(head)]

    def _close_call(self) -> list[StreamEvent]:
        self._in_call = False
        thought, self._later = "".join(self._later), []
        aside, self._aside = self._aside, []
        events = [*self._parts.close(), *self._show(PartKind.REASONING, thought)]
        return [*events, *(event for head, text in aside for event in self._show_whole(head, text))]

    def _tell(self, text: str) -> list[StreamEvent]:
        """Text that nothing cuts off. It waits where it must have a form, or where a call must come."""
        if self._called or (self._wanted.form is None and not self._wanted.toolset.required):
            return self._show(PartKind.TEXT, text)
        self._held.append(text)
        return []

    def _formed(self) -> str | Again:
        """The text that was held. What was cut is told as far as it came: it cannot have its form."""
        text = "".join(self._held)
        if self._wanted.form is None or self.made or self.reason is not FinishReason.STOP:
            return text
        read = self._wanted.form.read(text)
        return read.text if isinstance(read, Fitting) else Again(Why.OUTPUT, read.reason, structured.again(read))

    def _show(self, kind: PartKind, text: str) -> list[StreamEvent]:
        if not text:
            return []
        if kind is PartKind.TEXT:
            self.text.append(text)
        if self._started:
            return self._parts.delta(kind, text)
        return [*self._start(), *self._parts.delta(kind, text)]

    def _start(self) -> list[StreamEvent]:
        if self._started:
            return []
        self._started = True
        return [Started(self._model, self._input_tokens)]
