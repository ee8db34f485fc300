"""Calls as Python writes them: `[run(cmd="ls", n=2), ...]`, read as literals; nothing is evaluated."""

import ast
import warnings

from lingma_gateway.tools.arguments import Asked
from lingma_gateway.tools.toolset import ToolSet

_LONGEST = 200_000
"""Characters; what is longer is not parsed."""


def python_calls(text: str, toolset: ToolSet) -> list[Asked] | None:
    """The calls in `text`; None: it is not made of calls with literal arguments."""
    if len(text) > _LONGEST:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" in a string, which stays what it says
            expression = ast.parse(text.strip(), mode="eval").body
        nodes = expression.elts if isinstance(expression, ast.List) else [expression]
        return [_asked(node, toolset) for node in nodes]
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _asked(node: ast.expr, toolset: ToolSet) -> Asked:
    if not isinstance(node, ast.Call):
        raise ValueError("not a call")
    name = ast.unparse(node.func)
    return Asked(name, toolset.find(name), _arguments(node))


def _arguments(node: ast.Call) -> dict[str, object]:
    arguments: dict[str, object] = {}
    for given in node.args:
        literal = ast.literal_eval(given)
        if not isinstance(literal, dict) or not all(isinstance(key, str) for key in literal):
            raise ValueError("an argument without a name")
        arguments |= literal
    for keyword in node.keywords:
        if keyword.arg is None or keyword.arg in arguments:
            raise ValueError("an argument without a name, or given twice")
        arguments[keyword.arg] = ast.literal_eval(keyword.value)
    return arguments
