"""What Lingma pushes during a turn, as pieces of an answer. Pure: one `AnswerReader` an ask.

Facts are from the protocol page (push order, chat/answer, chat/think, chat/finish).
"""

from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from lingma_gateway.codec.jsonrpc import KnownCall
from lingma_gateway.events import PartKind
from lingma_gateway.lingma import refusals
from lingma_gateway.lingma.thinking import Piece, ThinkingSplitter

ANSWER = "chat/answer"
THINK = "chat/think"
FINISH = "chat/finish"
STEP = "chat/process_step_callback"
TOOL_METHODS = ("tool/call/sync", "tool/invoke", "tool/call/approve", "tool/invokeResult")
BESIDE = frozenset({STEP, *TOOL_METHODS})
"""What Lingma does beside answering."""
SYNC = "tool/call/sync"
INVOKE = "tool/invoke"
REPORT = "auth/report"
MODELS_CHANGED = ("config/refreshModels", "model/refresh")


class Words(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The params of a push that says something of the answer, as far as anybody needs them."""

    request_id: str
    session_id: str = ""
    text: str = ""
    content: str = ""
    """Where `text` is empty."""
    overwrite: bool = False


class Spoken(KnownCall, frozen=True, gc=False, kw_only=True):
    """One piece of the answer, or of the reasoning beside it: there is one for each token."""

    method: Literal["chat/answer", "chat/think"]
    params: Words


Pushed = Spoken | tuple[str, dict[str, Any]]
"""What Lingma pushes in a turn: a piece in its usual form, or else method and params."""


@dataclass(frozen=True, slots=True)
class Anew:
    """Lingma replaced its answer: `pieces` are all that it said so far, and none that came before counts."""

    pieces: list[Piece]


class AnswerReader:
    """Reads the pushes of one ask, in order."""

    __slots__ = ("_answer", "_thinking", "_thoughts", "finished", "session_id")

    def __init__(self, session_id: str = "") -> None:
        self._thinking = ThinkingSplitter()
        self._answer: list[str] = []
        """What Lingma sent as the answer, as it came."""
        self._thoughts: list[str] = []
        """What it sent as reasoning of its own, beside the answer."""
        self.session_id = session_id
        """Lingma's session as far as it is known."""
        self.finished = False

    def hear(self, spoken: Spoken) -> list[Piece] | Anew:
        """The pieces of a push in its usual form."""
        words = spoken.params
        if not words.overwrite or spoken.method == THINK:
            return self.add(spoken)
        if words.session_id:
            self.session_id = words.session_id
        return self._replace(words.text or words.content)

    def add(self, spoken: Spoken) -> list[Piece]:
        """As `hear`, of a push that replaces nothing."""
        words = spoken.params
        if words.session_id:
            self.session_id = words.session_id
        if spoken.method == THINK:
            return self._read_thought(words.text)
        text = words.text or words.content
        self._answer.append(text)
        return self._thinking.feed(text)

    def read(self, method: str, params: dict[str, Any]) -> list[Piece] | Anew:
        """The pieces of any push; `[]` for what says nothing about the answer.

        Raises:
            GatewayError: the turn finished with an error; which, is decided in `refusals`.
        """
        self.observe(params)
        match method:
            case "chat/answer":
                text = _string(params, "text") or _string(params, "content")
                return self._replace(text) if params.get("overwrite") is True else self._answered(text)
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

    def _replace(self, text: str) -> list[Piece] | Anew:
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


def _string(params: dict[str, Any], key: str) -> str:
    value = params.get(key)
    return value if isinstance(value, str) else ""
