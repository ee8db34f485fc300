"""How the model is told to call: the grammar with an example, and what this turn demands of it."""

from lingma_gateway.grammars import Grammar
from lingma_gateway.tools.toolset import ToolSet

_CODER = """\
# Calling tools

The tools that you can call are listed between <tools> and </tools>. To call some, end your answer with one block for \
each call, in exactly this form:

<tool_call>
<function=name_of_one_tool>
<parameter=path>
notes.txt
</parameter>
<parameter=content>
A string stands as it is, on lines of its own:
"quotes", \\backslashes and line breaks are never escaped.
</parameter>
</function>
</tool_call>
<tool_call>
<function=name_of_another_tool>
<parameter=limit>
20
</parameter>
</function>
</tool_call>

- Never omit <tool_call>. Use only names of tools and parameters that are listed, spelled as they are listed.
- Strings are raw; numbers, booleans, null, lists and objects are JSON. A tool that takes text has one parameter, input.
"""
_HERMES = """\
# Calling tools

The tools that you can call are listed between <tools> and </tools>. To call some, end your answer with one block for \
each call, in exactly this form:

<tool_call>
{"name": "name_of_one_tool", "arguments": {"path": "notes.txt", "content": "First line\\nwith \\"quotes\\"\\n"}}
</tool_call>
<tool_call>
{"name": "name_of_another_tool", "arguments": {"limit": 20}}
</tool_call>

- Never omit <tool_call>. Use only names of tools and arguments that are listed, spelled as they are listed.
- Each block holds one valid JSON object. A tool that takes text has one argument, input.
"""
_BOTH = """\
- Write nothing after the last </tool_call>: the results come in the next message. Never write a result yourself; only \
a result that you are shown proves that a tool ran.
- What stands in a code fence or in quotes is not called. If no tool is needed, answer as usual.
"""
_ONE = "- Call one tool at a time: one block, then wait for its result.\n"


def instructions(grammar: Grammar, *, parallel: bool = True) -> str:
    """How to call, for the prompt; it is the same for every set of tools."""
    return (_CODER if grammar is Grammar.CODER else _HERMES) + _BOTH + ("" if parallel else _ONE)


def demand(toolset: ToolSet) -> str:
    """What this turn asks for beyond the instructions, to be said last; empty where the model is free."""
    parts = []
    if toolset.only:
        parts.append(f"You must call the tool `{toolset.only.name}` now: your answer ends with its <tool_call> block.")
    elif toolset.required:
        parts.append("You must call at least one of the tools now: your answer ends with a <tool_call> block.")
    if toolset.tools and not toolset.parallel:
        parts.append("Call one tool only, then stop.")
    return " ".join(parts)


def ask_for_call(toolset: ToolSet) -> str:
    """What to tell a model that had to call and did not."""
    return f"You called no tool. {demand(toolset)} Saying that something was done does not do it."
