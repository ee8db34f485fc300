"""What the model is told about tools, and how the text shrinks with its budget."""

import json

import pytest

from lingma_gateway.conversation import ChoiceMode, Tool, ToolChoice, ToolKind
from lingma_gateway.tools import (
    Format,
    Grammar,
    Grammars,
    ToolSet,
    ask_for_call,
    demand,
    describe,
    digest_of,
    instructions,
)
from tests.lingma_gateway.support_tools import PATCH, RUN, TOOLS, TOOLSETS, WRITE, in_chunks, parsed, parts

SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {
        "path": {"type": "string", "description": "The path. It must be absolute.\nAlways."},
        "mode": {"enum": ["r", "w"], "description": "How."},
        "limit": {"type": ["integer", "null"], "minimum": 1, "default": 5},
        "edits": {"type": "array", "items": {"$ref": "#/$defs/edit"}},
        "either": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        "kinds": {"type": "array", "items": {"enum": [1, "b"]}},
        "fixed": {"const": True},
        "anything": True,
        "lost": {"$ref": "#/nowhere/at/all"},
    },
    "required": ["path"],
    "$defs": {"edit": {"type": "object", "properties": {"old": {"type": "string"}}, "required": ["old"]}},
}
EDIT = Tool("edit", "Edits a file. Be careful.\n\nLong story.", json.dumps(SCHEMA))
SIGNATURE = """\
edit(
  path: string,  // The path. It must be absolute. Always.
  mode?: "r" | "w",  // How.
  limit?: integer | null,  // minimum 1, default 5
  edits?: {old: string}[],
  either?: string | string[],
  kinds?: (1 | "b")[],
  fixed?: true,
  anything?: any,
  lost?: any,
)"""


def test_within_the_budget_the_schema_stands_in_full_and_minified() -> None:
    described = describe([EDIT, PATCH], 10_000)
    opening, edit, patch, closing = described.text.split("\n")
    assert (described.format, opening, closing) == (Format.JSON, "<tools>", "</tools>")
    assert json.loads(edit)["parameters"] == {key: value for key, value in SCHEMA.items() if key != "$schema"}
    assert json.loads(patch) == {
        "name": "apply_patch",
        "description": "Applies a patch.",
        "input": "free text",
        "grammar": PATCH.grammar,
    }
    assert ", " not in edit.replace("mode, ", "").split('"parameters":')[1].split('"description"')[0]


def test_above_it_come_signatures_with_everything_that_is_known() -> None:
    described = describe([EDIT, PATCH], 190)
    assert described.format is Format.TYPESCRIPT
    assert SIGNATURE in described.text
    assert "// Edits a file. Be careful.\n//\n// Long story.\nedit(" in described.text
    assert '// start: "*** Begin Patch"\napply_patch(input: text)' in described.text


def test_then_arguments_lose_their_prose_and_tools_theirs_but_never_types_enums_or_order() -> None:
    texts = {}
    for budget in range(200, 0, -1):
        described = describe([EDIT, PATCH], budget)
        texts[described.format] = described
    assert list(texts)[-4:] == [Format.TYPESCRIPT, Format.SHORT_DOCS, Format.NO_DOCS, Format.NAMES]
    assert "// The path\n" in texts[Format.SHORT_DOCS].text.replace(".", "")
    assert "Always" not in texts[Format.SHORT_DOCS].text
    assert "The path" not in texts[Format.NO_DOCS].text
    assert "Long story" not in texts[Format.NAMES].text
    for described in texts.values():
        assert [word in described.text for word in ('"r"', '"w"', "integer", "null")] == [True] * 4
    sizes = [described.tokens for described in texts.values()]
    assert sizes == sorted(sizes, reverse=True)


def test_the_same_tools_give_the_same_text_and_added_ones_can_be_told_alone() -> None:
    assert describe(TOOLS) == describe(TOOLS)
    assert describe([WRITE]).text.count("\n") == 2


@pytest.mark.parametrize(
    ("schema", "shown"),
    [("not json", "odd(object)"), ("[]", "odd(object)"), ("{}", "odd()"), ('{"type": "object"}', "odd()")],
)
def test_a_schema_without_properties_is_described_as_what_it_is(schema: str, shown: str) -> None:
    assert shown in describe([Tool("odd", "", schema)], 0).text
    assert describe([Tool("odd", "", schema)], 10_000).text


def test_objects_that_refer_to_themselves_are_described_to_a_depth() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#"}, "label": {"type": "string"}}}
    assert "next?: object" in describe([Tool("walk", "", json.dumps(node))], 0).text


def test_the_digest_follows_what_is_described_and_its_order() -> None:
    digests = {digest_of(tools) for tools in ([RUN], [WRITE], [RUN, WRITE], [WRITE, RUN], [])}
    assert len(digests) == 5
    assert ToolSet((RUN, WRITE)).digest == digest_of([RUN, WRITE])


@pytest.mark.parametrize("grammar", Grammar)
def test_the_example_of_the_instructions_is_two_calls_of_which_one_holds_lines(grammar: Grammar) -> None:
    one = Tool("name_of_one_tool", schema='{"properties": {"path": {"type": "string"}, "content": {"type": "string"}}}')
    other = Tool("name_of_another_tool", schema='{"properties": {"limit": {"type": "integer"}}}')
    found = parts(parsed(ToolSet((one, other)), in_chunks(instructions(grammar).split("this form:\n\n")[1], 3)))
    assert [part[:2] for part in found] == [("C", one.name), ("C", other.name), found[2]]
    assert "\n" in dict(found[0][2])["content"]
    assert dict(found[1][2]) == {"limit": 20}


def test_the_instructions_say_where_an_answer_ends_and_when_one_call_is_all() -> None:
    for grammar in Grammar:
        assert "nothing after the last </tool_call>" in instructions(grammar)
        assert "Never omit <tool_call>" in instructions(grammar)
        assert "one tool at a time" not in instructions(grammar)
        assert "one tool at a time" in instructions(grammar, parallel=False)


def test_a_turn_demands_what_its_choice_says() -> None:
    assert demand(TOOLSETS["auto"]) == demand(TOOLSETS["none"]) == ""
    assert "at least one" in demand(TOOLSETS["required"])
    assert "`run`" in demand(TOOLSETS["named"])
    assert demand(TOOLSETS["serial"]) == "Call one tool only, then stop."
    assert "You called no tool" in ask_for_call(TOOLSETS["named"])


def test_a_choice_decides_which_tools_the_model_is_shown() -> None:
    def shown(*choice: object) -> list[str]:
        return [tool.name for tool in ToolSet.of(TOOLS, ToolChoice(*choice)).tools]  # type: ignore[arg-type]

    everything = [tool.name for tool in TOOLS]
    assert shown() == everything
    assert shown(ChoiceMode.NONE) == []
    assert shown(ChoiceMode.REQUIRED) == everything
    assert shown(ChoiceMode.REQUIRED, ("run",)) == ["run"]
    assert shown(ChoiceMode.AUTO, ("now", "run", "gone")) == ["run", "now"]
    named = ToolSet.of(TOOLS, ToolChoice(ChoiceMode.REQUIRED, ("run",)), parallel=False)
    assert (named.only, named.required, named.parallel) == (RUN, True, False)
    assert not ToolSet.of((), ToolChoice(ChoiceMode.REQUIRED)).required
    assert ToolSet(TOOLS, required=True).only is None


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("run", "run"),
        ("RUN", "run"),
        ("functions.run:0", "run"),
        ("functions.run", "run"),
        ("run:3", "run"),
        ("mcp-git-LOG", "mcp__git__log"),
        ("WebSearch", "web.search"),
        ("runs", None),
        ("", None),
    ],
)
def test_a_name_is_found_as_it_is_or_by_case_and_separators_only(written: str, name: str | None) -> None:
    found = ToolSet(TOOLS).find(written)
    assert (found.name if found else None) == name


def test_two_tools_that_differ_by_case_alone_are_found_by_their_exact_names_only() -> None:
    lower, upper = Tool("read"), Tool("Read")
    toolset = ToolSet((lower, upper))
    assert (toolset.find("read"), toolset.find("Read"), toolset.find("READ")) == (lower, upper, None)


@pytest.mark.parametrize(
    ("setting", "model", "grammar"),
    [
        ("", "q35model", Grammar.CODER),
        ("", "kmodel", Grammar.HERMES),
        ("", "Kimi-K2-Instruct", Grammar.HERMES),
        ("", "kimi-k3", Grammar.CODER),
        ("kmodel=coder", "kmodel", Grammar.CODER),
        ("*coder*=coder, *=hermes", "dashscope_qwen3_coder", Grammar.CODER),
        ("*coder*=coder, *=hermes", "q35model", Grammar.HERMES),
    ],
)
def test_the_first_pattern_that_fits_a_model_decides_its_grammar(setting: str, model: str, grammar: Grammar) -> None:
    assert Grammars.parse(setting).of(model) is grammar


@pytest.mark.parametrize("setting", ["kmodel", "=coder", "a=coder,b=xml"])
def test_a_grammar_that_is_none_is_refused_by_its_position(setting: str) -> None:
    with pytest.raises(ValueError, match=r"entry \d must be PATTERN=GRAMMAR with one of coder, hermes"):
        Grammars.parse(setting)


def test_a_custom_tool_without_a_grammar_is_told_as_text() -> None:
    assert (
        describe([Tool("note", kind=ToolKind.CUSTOM)], 10_000).text.split("\n")[1]
        == '{"name":"note","input":"free text"}'
    )
