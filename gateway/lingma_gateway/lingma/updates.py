"""What Lingma pushes during a turn, as pieces of an answer. Pure: one `AnswerReader` an ask.

Facts are from the protocol page (push order, chat/answer, chat/think, chat/finish).
"""

from dataclasses import dataclass
from typing import Any

from lingma_gateway.events import PartKind
from lingma_gateway.lingma import refusals
from lingma_gateway.lingma.thinking import Piece, ThinkingSplitter

ANSWER = "chat/answer"
THINK = "chat/think"
FINISH = "chat/finish"
STEP = "chat/process_step_callback"
TOOL_METHODS = ("tool/call/sync", "tool/invoke", "tool/call/approve", "tool/invokeResult")
SYNC = "tool/call/sync"
INVOKE = "tool/invoke"
REPORT = "auth/report"
MODELS_CHANGED = ("config/refreshModels", "model/refresh")


@dataclass(frozen=True, slots=True)
class Anew:
    """Lingma replaced its answer: `pieces` are all that it said so far, and none that came before counts."""

    pieces: list[Piece]


class AnswerReader:
    """Reads the pushes of one ask, in order."""

    def __init__(self, session_id: str = "") -> None:
        self._thinking = ThinkingSplitter()
        self._answer: list[str] = []
        """What Lingma sent as the answer, as it came."""
        self._thoughts: list[str] = []
        """What it sent as reasoning of its own, beside the answer."""
        self.session_id = session_id
        """Lingma's session as far as it is known."""
        self.finished = False

    def read(self, method: str, params: dict[str, Any]) -> list[Piece] | Anew:
        """The pieces of one push; `[]` for what says nothing about the answer.

        Raises:
            GatewayError: the turn finished with an error; which, is decided in `refusals`.
        """
        self.observe(params)
        match method:
            case "chat/answer":
                return self._read_answer(params)
            case "chat/think":
                return self._read_thought(_string(params, "text"))
            case "chat/finish":
                return self._read_finish(params)
            case _:
                return []

    def observe(self, params: dict[str, Any]) -> None:
        """Note which session a push names, whatever else it says."""
        session_id = params.get("sessionId")
        if isinstance(session_id, str) and session_id:
            self.session_id = session_id

    def _read_thought(self, text: str) -> list[Piece]:
        if not text:
            return []
        self._thoughts.append(text)
        return [(PartKind.REASONING, text)]

    def _read_answer(self, params: dict[str, Any]) -> list[Piece] | Anew:
        text = _string(params, "text") or _string(params, "content")
        if params.get("overwrite") is not True:
            return self._answered(text)
        told = "".join(self._answer)
        if text.startswith(told):
            return self._answered(text[len(told) :])
        self._answer, self._thinking = [], ThinkingSplitter()
        thoughts: list[Piece] = [(PartKind.REASONING, thought) for thought in self._thoughts]
        return Anew([*thoughts, *self._answered(text)])

    def _answered(self, text: str) -> list[Piece]:
        """Pieces for text of the answer, in which reasoning may stand as a fence."""
        if not text:
            return []
        self._answer.append(text)
        return self._thinking.feed(text)

    def _untold(self, full_answer: str) -> str:
        """What no chunk told. Chunks are authoritative: `fullAnswer` may be empty on success, or only add to them."""
        told = "".join(self._answer)
        return full_answer[len(told) :] if full_answer.startswith(told) else ""

    def _read_finish(self, params: dict[str, Any]) -> list[Piece]:
        self.finished = True
        code = params.get("statusCode", refusals.OK)
        if code != refusals.OK:
            raise refusals.refusal(code, _string(params, "reason"))
        return [*self._answered(self._untold(_string(params, "fullAnswer"))), *self._thinking.finish()]


def asks_approval(method: str, params: dict[str, Any]) -> bool:
    """Whether Lingma waits for `tool/call/approve`. Statuses were seen in capitals and small letters."""
    return method == SYNC and _string(params, "toolCallStatus").upper() == "PENDING"


def _string(params: dict[str, Any], key: str) -> str:
    value = params.get(key)
    return value if isinstance(value, str) else ""
