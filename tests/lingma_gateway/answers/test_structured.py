import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.answers.structured import Fitting, StructuredOutput, Unfit, again
from lingma_gateway.conversation import OutputFormat
from lingma_gateway.errors import InvalidRequest

SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name"],
        "additionalProperties": False,
    }
)
PERSON = '{"name": "Ada", "age": 36}'


def form(schema: str | None = SCHEMA) -> StructuredOutput:
    return StructuredOutput.of(OutputFormat(schema))


FOUND = {
    "alone": PERSON,
    "with space around it": f"\n  {PERSON} \n",
    "in a fence": f"```json\n{PERSON}\n```",
    "in a fence within prose": f"Here it is:\n\n```\n{PERSON}\n```\nAnything else?",
    "in a longer fence": f"````json\n{PERSON}\n````",
    "between words": f"Sure! {PERSON} That is all.",
    "after braces that are no JSON": f"In f(x) {{ return }} you get {PERSON}",
    "twice the same": f"{PERSON}\n\n{PERSON}",
    "beside a value of another form": f"Of [1, 2] I choose {PERSON}",
    "beside a fence that is no JSON": f"```sh\nls\n```\n```json\n{PERSON}\n```",
}


@pytest.mark.parametrize("case", FOUND)
def test_json_is_found_where_it_is_unique_and_stays_as_it_was_written(case: str) -> None:
    assert form().read(FOUND[case]) == Fitting(PERSON)


UNFIT = {
    "nothing": ("", "no complete JSON"),
    "prose": ("I cannot do that.", "no complete JSON"),
    "cut": (PERSON[:-4], "no complete JSON"),
    "two that fit": ('{"name": "Ada"} or {"name": "Bob"}', "several JSON values"),
    "two that do not": ("[1] or [2]", "several JSON values"),
    "not JSON's own numbers": ('{"name": "Ada", "age": NaN}', "no complete JSON"),
    "another type": ('{"name": "Ada", "age": "thirty-six"}', "rule #/properties/age/type"),
    "a field too many": ('{"name": "Ada", "secret-key": 1}', "rule #/additionalProperties"),
    "a field too few": ('{"age": 36}', "rule #/required"),
    "braces without end": ("{" * 100_000, "no complete JSON"),
    "nested without end": ("[" * 100_000 + "]" * 100_000, "no complete JSON"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_an_answer_without_it_is_unfit_and_says_why(case: str) -> None:
    answer, words = UNFIT[case]
    unfit = form().read(answer)
    assert isinstance(unfit, Unfit)
    assert words in unfit.reason


@pytest.mark.parametrize("case", UNFIT)
def test_the_reason_quotes_nothing_of_the_answer(case: str) -> None:
    unfit = form().read(UNFIT[case][0])
    assert isinstance(unfit, Unfit)
    assert not re.search("Ada|Bob|thirty|secret", unfit.reason)


def test_the_model_is_told_where_it_went_wrong() -> None:
    unfit = form('{"type": "array", "items": {"properties": {"n": {"type": "integer"}}}}').read(
        '[{"n": 1}, {"n": "x"}]'
    )
    assert isinstance(unfit, Unfit)
    assert 'at $[1].n: the value is not of type "integer"' in again(unfit)


def test_a_value_that_cannot_be_checked_is_unfit() -> None:
    unfit = form('{"items": {"enum": ["x"]}}').read('["half a character: \\ud800"]')
    assert isinstance(unfit, Unfit)
    assert "cannot be checked" in unfit.reason


def test_without_a_schema_any_object_will_do_and_nothing_else() -> None:
    assert form(None).read('{"a": 1}') == Fitting('{"a": 1}')
    assert isinstance(form(None).read("[1]"), Unfit)
    assert isinstance(form(None).read('"text"'), Unfit)


def test_a_schema_of_a_scalar_is_met_by_the_whole_answer() -> None:
    assert form('{"type": "integer"}').read(" 42\n") == Fitting("42")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)))
def test_whatever_is_json_alone_is_found_whole(value: object) -> None:
    written = json.dumps(value, ensure_ascii=False)
    assert form("{}").read(written) == Fitting(written.strip())


@given(st.text("{}[]\"',:0truefalse`\n json"))
def test_no_answer_makes_the_reader_fail(answer: str) -> None:
    assert isinstance(form().read(answer), Fitting | Unfit)


def test_the_instruction_holds_the_schema() -> None:
    assert SCHEMA in form().instruction
    assert "one JSON object" in form(None).instruction


BAD_SCHEMAS = {
    "no JSON": "{",
    "no object": "[]",
    "an unknown type": '{"type": "str"}',
    "a pattern that is none": '{"pattern": "("}',
    "a reference into nothing": '{"$ref": "#/definitions/a"}',
    "a reference to another machine": '{"$ref": "http://127.0.0.1:1/schema.json"}',
    "a reference to a file": '{"$ref": "file:///etc/hostname"}',
    "nested without end": '{"not":' * 100_000,
}


@pytest.mark.parametrize("case", BAD_SCHEMAS)
def test_a_bad_schema_is_refused_and_its_field_named(case: str) -> None:
    where = "text.format.schema"
    with pytest.raises(InvalidRequest) as caught:
        StructuredOutput.of(OutputFormat(BAD_SCHEMAS[case], where=where))
    assert caught.value.param == where
    assert caught.value.message.startswith(f"{where} is no JSON Schema: ")
    assert len(caught.value.message) < 400


def test_a_bad_schema_is_told_where_it_went_wrong() -> None:
    with pytest.raises(InvalidRequest, match='at #/properties/a/type: "str" is not valid'):
        form('{"properties": {"a": {"type": "str"}}}')
