"""How a turn is asked: of the model alone, or of Lingma's agent, which uses tools of its own. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from lingma_gateway.conversation import Turn
from lingma_gateway.errors import ModelNotFound

AGENT_MODELS = frozenset({"lingma-agent", "agent"})
"""Model ids, in any case, that ask for the agent with the default model (parity page, section 3)."""


class AskMode(StrEnum):
    """`mode` of `chat/ask`."""

    CHAT = "chat"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class AskModes:
    """Which turns are the agent's."""

    agent_served: bool = False
    """AGENT_MODE."""
    default: AskMode = AskMode.CHAT
    agent_takes_tools: bool = False
    """TOOLS_MODE=agent: a request with tools is the agent's."""

    def unserved(self) -> str | None:
        """The setting that asks for agent mode where it is off; None where all is well."""
        if self.agent_served:
            return None
        if self.default is AskMode.AGENT:
            return "DEFAULT_ASK_MODE"
        return "TOOLS_MODE" if self.agent_takes_tools else None

    def of(self, turn: Turn) -> AskMode:
        """The mode of `turn`.

        Raises:
            ModelNotFound: it names the agent, which is off here.
        """
        if turn.model is not None and turn.model.casefold() in AGENT_MODELS:
            if not self.agent_served:
                raise ModelNotFound(
                    f"the model {turn.model!r} is Lingma's agent, which is off here (AGENT_MODE)", param="model"
                )
            return AskMode.AGENT
        return AskMode.AGENT if self.agent_takes_tools and turn.tools else self.default


def model_of(turn: Turn) -> str | None:
    """The model that the turn names; the agent's ids name none."""
    return None if turn.model is not None and turn.model.casefold() in AGENT_MODELS else turn.model
