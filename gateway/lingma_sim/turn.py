"""One turn: what was asked, in which session, under which faults. Pure data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lingma_sim.faults import Values
from lingma_sim.pushes import TurnIds
from lingma_sim.replay import RecordedTurn
from lingma_sim.script import Script
from lingma_sim.sessions import Record, Session


@dataclass(frozen=True, slots=True)
class Ask:
    """What the simulator reads of chat/ask. The question is `questionText` alone, as in the plugin's fields."""

    request_id: str
    session_id: str
    session_type: str
    task: str
    question: str
    is_reply: bool
    model: str
    image_urls: tuple[str, ...] = ()
    """`chatContext.imageUrls`."""

    @classmethod
    def parse(cls, params: Mapping[str, Any]) -> "Ask":
        """The ask in `params`; fields that are missing or of another type are empty, as in Go."""

        def text(name: str) -> str:
            value = params.get(name)
            return value if isinstance(value, str) else ""

        extra = params.get("extra")
        config = extra.get("modelConfig") if isinstance(extra, dict) else None
        model = config.get("key") if isinstance(config, dict) else None
        return cls(
            request_id=text("requestId"),
            session_id=text("sessionId"),
            session_type=text("sessionType"),
            task=text("chatTask"),
            question=text("questionText"),
            is_reply=params.get("isReply") is True,
            model=model if isinstance(model, str) else "",
            image_urls=_image_urls(params.get("chatContext")),
        )


def _image_urls(context: Any) -> tuple[str, ...]:
    urls = context.get("imageUrls") if isinstance(context, dict) else None
    return tuple(url for url in urls if isinstance(url, str)) if isinstance(urls, list) else ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What will happen in a turn, decided when it is asked for."""

    script: Script
    faults: Values
    recorded: RecordedTurn | None = None
    """A turn of a capture, which is then told instead of the script."""


@dataclass(slots=True)
class Turn:
    """A turn in progress. Its ids change where a fault changes the session's id."""

    ask: Ask
    plan: Plan
    ids: TurnIds
    session: Session
    record: Record
    earlier: list[str]
    """The questions of the session before this one."""

    @property
    def faults(self) -> Values:
        """The faults of this turn."""
        return self.plan.faults
