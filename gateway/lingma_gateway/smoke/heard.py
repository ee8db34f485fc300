"""One turn of the self-check as it was heard: every push with its time. Pure."""

from dataclasses import dataclass, field
from typing import Any

from lingma_gateway.lingma import updates


@dataclass(slots=True)
class Heard:
    """Times are of one monotonic clock, in seconds."""

    began: float
    session_id: str = ""
    text: str = ""
    methods: list[str] = field(default_factory=list)
    """Of the pushes, in order."""
    fields: dict[str, set[str]] = field(default_factory=dict)
    """Of the params, by method."""
    chunk_times: list[float] = field(default_factory=list)
    first_push: float | None = None
    ended: float | None = None
    finish: dict[str, Any] | None = None
    tools: list[tuple[str, bool, str]] = field(default_factory=list)
    """Method, whether it names a call, and status."""
    acknowledged_s: float | None = None
    """Until the ask was answered, where it was sent as a request and was."""
    stopped: float | None = None
    """When the stop was sent."""
    stop_acknowledged_s: float | None = None
    error: str | None = None

    @property
    def status(self) -> Any:
        """The status code of its end; None without an end."""
        return None if self.finish is None else self.finish.get("statusCode", 200)

    @property
    def succeeded(self) -> bool:
        """Whether it ended well, with an answer."""
        return self.error is None and self.status == 200 and bool(self.text.strip())

    @property
    def failure(self) -> str:
        """Why it did not succeed."""
        if self.error is not None:
            return self.error
        if self.status != 200:
            return f"it ended with status {self.status}: {str((self.finish or {}).get('reason', ''))[:200]}"
        return "its answer is empty"

    def note(self, method: str, params: dict[str, Any], now: float) -> None:
        """Take down one push."""
        self.methods.append(method)
        self.fields.setdefault(method, set()).update(params)
        if self.first_push is None:
            self.first_push = now
        session_id = params.get("sessionId")
        if isinstance(session_id, str) and session_id:
            self.session_id = session_id
        if method == updates.ANSWER:
            self._note_answer(params, now)
        elif method in updates.TOOL_METHODS:
            named = isinstance(params.get("toolCallId"), str) and bool(params["toolCallId"])
            self.tools.append((method, named, str(params.get("toolCallStatus", ""))))
        elif method == updates.FINISH:
            self.finish, self.ended = params, now
            whole = params.get("fullAnswer")
            if not self.text and isinstance(whole, str):
                self.text = whole

    def _note_answer(self, params: dict[str, Any], now: float) -> None:
        text = params.get("text") or params.get("content")
        if isinstance(text, str) and text:
            self.text = text if params.get("overwrite") is True else self.text + text
            self.chunk_times.append(now)
