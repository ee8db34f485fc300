"""What a prompt says of tools: which there are, how to call them, what was called and what came of it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lingma_gateway.conversation import Text, Tool, ToolCall, ToolResult, Turn
from lingma_gateway.prompting.prompt import Wording
from lingma_gateway.tools import DEFAULT_BUDGET, Grammar, ToolSet, calls_text, describe, instructions, results_text

_MORE = "From now on there are these tools too:"


@dataclass(frozen=True, slots=True)
class ToolWords:
    """How a model is told of tools."""

    grammar: Grammar
    budget: int = DEFAULT_BUDGET
    """Estimated tokens that a description may take."""

    def introduction(self, toolset: ToolSet, untold: Sequence[Tool], *, knows_others: bool) -> str:
        """The tools that the session has not been told of, and how to call tools unless it knows; empty for none."""
        if not untold:
            return ""
        tools = describe(untold, self.budget).text
        if knows_others:
            return f"{_MORE}\n{tools}"
        return f"{instructions(self.grammar, parallel=toolset.parallel)}\n{tools}"

    def wording(self, turn: Turn, toolset: ToolSet) -> Wording:
        """Earlier calls as the model would have written them, and their results."""
        parts = [part for message in turn.messages for part in message.parts]
        names = {part.id: part.name for part in parts if isinstance(part, ToolCall)}

        def call(made: ToolCall) -> str:
            return calls_text((made,), self.grammar, toolset)

        def result(answered: ToolResult, content: str) -> str:
            return results_text((replace(answered, content=(Text(content),)),), names)

        return Wording(call=call, result=result)
