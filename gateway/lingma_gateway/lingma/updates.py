"""What Lingma pushes during a turn, as StreamEvents. Pure: one `TurnReader` a turn.

Facts are from the protocol page (push order, chat/answer, chat/think, chat/finish).
"""

from typing import Any

from lingma_gateway.errors import UpstreamProtocol
from lingma_gateway.events import Finished, FinishReason, PartKind, PartSequencer, Started, StreamEvent, Usage
from lingma_gateway.lingma import refusals
from lingma_gateway.lingma.thinking import Piece, ThinkingSplitter
from lingma_gateway.tokens import estimate

ANSWER = "chat/answer"
THINK = "chat/think"
FINISH = "chat/finish"
STEP = "chat/process_step_callback"
TOOL_METHODS = ("tool/call/sync", "tool/invoke", "tool/call/approve", "tool/invokeResult")
SYNC = "tool/call/sync"
INVOKE = "tool/invoke"
REPORT = "auth/report"
MODELS_CHANGED = ("config/refreshModels", "model/refresh")


class TurnReader:
    """Reads the pushes of one turn, in order, and produces events that obey the ordering law."""

    def __init__(self, model_key: str, prompt: str, session_id: str = "", *, hold: bool = False) -> None:
        """With `hold` the answer's text comes as one at the end, so that Lingma may replace it until then."""
        self._hold = hold
        self._parts = PartSequencer()
        self._model_key = model_key
        self._input_tokens = estimate(prompt)
        self._thinking = ThinkingSplitter()
        self._answer: list[str] = []
        """What Lingma sent as the answer, as it came."""
        self._output: dict[PartKind, list[str]] = {kind: [] for kind in PartKind}
        """What was sent on, reasoning included."""
        self._started = False
        self.session_id = session_id
        """Lingma's session as far as it is known."""
        self.finished = False

    def read(self, method: str, params: dict[str, Any]) -> list[StreamEvent]:
        """The events of one push; `[]` for what says nothing about the answer.

        Raises:
            GatewayError: the turn finished with an error; which, is decided in `refusals`.
            UpstreamProtocol: the answer took back text that was already sent on.
        """
        self.observe(params)
        match method:
            case "chat/answer":
                return self._read_answer(params)
            case "chat/think":
                return self._emit(PartKind.REASONING, _string(params, "text"))
            case "chat/finish":
                return self._read_finish(params)
            case _:
                return []

    def observe(self, params: dict[str, Any]) -> None:
        """Note which session a push names, whatever else it says."""
        session_id = params.get("sessionId")
        if isinstance(session_id, str) and session_id:
            self.session_id = session_id

    def _read_answer(self, params: dict[str, Any]) -> list[StreamEvent]:
        text = _string(params, "text") or _string(params, "content")
        if params.get("overwrite") is True:
            if self._hold:
                self._answer = []
            else:
                text = self._rest_of(text)
        return self._answered(text)

    def _answered(self, text: str) -> list[StreamEvent]:
        """Events for text of the answer, in which reasoning may stand as a fence."""
        if text:
            self._answer.append(text)
        return [] if self._hold else self._emit_all(self._thinking.feed(text))

    def _rest_of(self, whole: str) -> str:
        """What `whole`, which replaces the answer, adds to what was sent on."""
        sent = "".join(self._answer)
        if not whole.startswith(sent):
            raise UpstreamProtocol("Lingma replaced text of the answer that had already been sent")
        return whole[len(sent) :]

    def _untold(self, full_answer: str) -> str:
        """What no chunk told. Chunks are authoritative: `fullAnswer` may be empty on success, or only add to them."""
        told = "".join(self._answer)
        return full_answer[len(told) :] if full_answer.startswith(told) else ""

    def _emit_all(self, pieces: list[Piece]) -> list[StreamEvent]:
        return [produced for kind, text in pieces for produced in self._emit(kind, text)]

    def _emit(self, kind: PartKind, text: str) -> list[StreamEvent]:
        if not text:
            return []
        self._output[kind].append(text)
        return [*self._start(), *self._parts.delta(kind, text)]

    def _start(self) -> list[StreamEvent]:
        if self._started:
            return []
        self._started = True
        return [Started(self._model_key, self._input_tokens)]

    def _read_finish(self, params: dict[str, Any]) -> list[StreamEvent]:
        self.finished = True
        code = params.get("statusCode", refusals.OK)
        if code != refusals.OK:
            raise refusals.refusal(code, _string(params, "reason"))
        events = self._answered(self._untold(_string(params, "fullAnswer")))
        if self._hold:
            events += self._emit_all(self._thinking.feed("".join(self._answer)))
        events += self._emit_all(self._thinking.finish())
        events += self._start()
        output_tokens = sum(estimate("".join(texts)) for texts in self._output.values())
        usage = Usage(self._input_tokens, output_tokens, estimated=True)
        return [*events, *self._parts.close(), Finished(FinishReason.STOP, usage, self.session_id)]


def asks_approval(method: str, params: dict[str, Any]) -> bool:
    """Whether Lingma waits for `tool/call/approve`. Statuses were seen in capitals and small letters."""
    return method == SYNC and _string(params, "toolCallStatus").upper() == "PENDING"


def _string(params: dict[str, Any], key: str) -> str:
    value = params.get(key)
    return value if isinstance(value, str) else ""
