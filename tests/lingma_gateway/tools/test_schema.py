"""What a tool's schema makes of a value, and what JSON that models write is mended to."""

import json
from typing import Any

import pytest

from lingma_gateway.tools import continuation
from lingma_gateway.tools.pythonic import python_calls
from lingma_gateway.tools.repair import Repeated, Unreadable, read_json
from lingma_gateway.tools.schema import schema_of
from lingma_gateway.tools.serialise import escaped, json_text
from tests.lingma_gateway.support_tools import RUN, TOOLSETS

NODE = {
    "type": "object",
    "properties": {
        "n": {"type": "integer"},
        "ref": {"$ref": "#/$defs/a~1b"},
        "lost": {"$ref": "#/$defs/none/deeper"},
        "far": {"$ref": "other.json"},
        "loop": {"$ref": "#/properties/loop"},
        "maybe": {"oneOf": [{"type": "number"}, {"type": "null"}]},
        "open": {"anyOf": [{"type": "integer"}, {}]},
        "two": {"anyOf": [{"type": "integer"}, {"type": "boolean"}]},
        "listed": {"type": ["integer", "array"], "items": {"type": "integer"}},
        "one": {"const": 5},
        "any": True,
        "short": {"type": "string", "maxLength": 3},
        "text": {"type": "string", "description": "x"},
        "named": {"$ref": "#/$defs/string"},
    },
    "additionalProperties": {"type": "integer"},
    "$defs": {"a/b": {"type": "boolean"}, "string": {"type": "string"}},
}
SCHEMA = schema_of(json.dumps(NODE))


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("n", " 5\n", 5),
        ("n", "-0", 0),
        ("n", "05", "05"),
        ("n", "1.5", "1.5"),
        ("ref", "True", True),
        ("ref", "false", False),
        ("ref", "yes", "yes"),
        ("lost", "5", "5"),
        ("far", "5", "5"),
        ("loop", "5", "5"),
        ("maybe", "1e3", 1000.0),
        ("maybe", "1e999", "1e999"),
        ("maybe", "null", None),
        ("open", "5", "5"),
        ("two", "true", True),
        ("two", "5", 5),
        ("listed", "[1, '2',]", [1, 2]),
        ("listed", "[1, }", "[1, }"),
        ("listed", '{"a": 1}', '{"a": 1}'),
        ("one", "5", 5),
        ("any", "5", "5"),
        ("extra", "7", 7),
        ("text", "null", "null"),
    ],
)
def test_text_becomes_what_the_schema_says_and_nothing_else(key: str, text: str, value: Any) -> None:
    found = SCHEMA.from_text(key, text)
    assert found == value
    assert type(found) is type(value)


def test_only_a_string_without_conditions_is_plain() -> None:
    assert [key for key in (*NODE["properties"], "extra") if SCHEMA.is_plain_string(key)] == ["text", "named"]


@pytest.mark.parametrize(
    "schema",
    [
        '{"type": "str"}',
        '{"$ref": "#/nowhere"}',
        '{"$ref": "https://example.com/x"}',
        "[1]",
        "{",
        '{"pattern": "("}',
        "[" * 9999,
    ],
)
def test_a_bad_schema_checks_nothing_and_refuses_nothing(schema: str) -> None:
    assert schema_of(schema).misfit({"anything": 1}) is None
    assert schema_of(schema).fits_so_far({"anything": 1})
    assert schema_of(schema).properties == {}


def test_a_schema_is_compiled_once() -> None:
    assert schema_of(json.dumps(NODE)) is SCHEMA


def test_what_a_validator_cannot_hold_is_not_refused() -> None:
    deep: Any = 1
    for _ in range(600):
        deep = {"a": deep}
    schema = schema_of('{"properties": {"a": {"type": "integer"}}}')
    assert schema.misfit({"a": "x"}) is not None
    assert schema.misfit({"a": deep}) is None
    assert schema.misfit({"a": "\ud800"}) is None


def test_a_misfit_names_its_field_and_a_long_value_is_shortened() -> None:
    misfit = schema_of(RUN.schema).misfit({"cmd": "a", "n": "x" * 1000})
    assert misfit is not None
    assert misfit.field == "n"
    assert len(misfit.message) < 200
    assert "integer" in misfit.message


@pytest.mark.parametrize(
    ("text", "value", "repaired"),
    [
        ('{"a": 1}', {"a": 1}, ""),
        ('{"a": "x\ny\t"}', {"a": "x\ny\t"}, "control"),
        (r'{"a": "\d\\d\u00e9\x"}', {"a": "\\d\\dé\\x"}, "backslash"),
        ("{'a': 'it\\'s \\n \"q\" \\\"', 'b': [None, True, False, null, 1.5e3, -2,],}",
         {"a": "it's \n \"q\" \"", "b": [None, True, False, None, 1500.0, -2]}, "literals"),
        ('"{\\"a\\": 1}"', {"a": 1}, "literals"),
        ('{"a": "A", "a": "A"}', {"a": "A"}, ""),
    ],
)  # fmt: skip
def test_json_is_mended_in_steps(text: str, value: Any, repaired: str) -> None:
    reading = read_json(text)
    assert (reading.value, reading.repaired) == (value, repaired)


@pytest.mark.parametrize(
    "text",
    ['{"a": "b"c"}', "{'a': 'it's'}", "{a: 1}", "{'a': undefined}", '{"a": NaN}', '{"a": 1', "", "{]", "[" * 5000],
)
def test_json_that_could_mean_two_things_or_none_is_not_mended(text: str) -> None:
    with pytest.raises(Unreadable):
        read_json(text)


def test_missing_braces_are_added_only_where_the_end_was_marked() -> None:
    assert read_json('{"a": [1, {"b": 2}', closed=True).value == {"a": [1, {"b": 2}]}
    assert read_json('{"a": [1, {"b": 2}', closed=True).repaired == "closers"
    with pytest.raises(Unreadable):
        read_json('{"a": "cut', closed=True)


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '{"a": 1, "a": true}', "{'a': {'b': 1, 'b': 2}}"])
def test_a_key_that_says_two_things_is_named(text: str) -> None:
    with pytest.raises(Repeated, match=r"^[ab]$"):
        read_json(text)


def test_half_a_character_stays_an_escape_that_utf8_can_carry() -> None:
    assert json_text({"a": "\ud83d!"}) == '{"a": "\\ud83d!"}'
    assert escaped("\ud83d") + escaped("\ude42") == "\\ud83d\\ude42"
    assert json.loads(f'"{escaped(chr(0xD83D))}{escaped(chr(0xDE42))}"') == "🙂"


@pytest.mark.parametrize(
    ("sent", "arguments", "rest"),
    [
        ('{"path": "a', '{"path": "a.txt", "content": "x"}', '.txt", "content": "x"}'),
        ('{"path": "a"', '{"content": "x", "path": "a"}', ', "content": "x"}'),
        ("", '{"a": 1}', '{"a": 1}'),
        ('{"path": "b', '{"path": "a"}', None),
        ('{"gone": "b', '{"path": "a"}', None),
    ],
)
def test_a_call_that_was_asked_again_goes_on_where_the_client_stands(
    sent: str, arguments: str, rest: str | None
) -> None:
    assert continuation(sent, arguments) == rest


@pytest.mark.parametrize(
    "text",
    [
        "x" * 200_001,
        "run(",
        "[1]",
        "run(1)",
        "run({1: 2})",
        "run(**x)",
        'run({"cmd": "a"}, cmd="b")',
        "run(cmd=open('x'))",
    ],
)
def test_python_that_is_more_than_calls_with_literals_is_no_call(text: str) -> None:
    assert python_calls(text, TOOLSETS["auto"]) is None


def test_python_calls_may_have_a_dictionary_and_odd_escapes() -> None:
    calls = python_calls(r'run({"cmd": "\d"}, n=-1)', TOOLSETS["auto"])
    assert calls is not None
    assert calls[0].arguments == {"cmd": r"\d", "n": -1}


def test_a_quote_that_is_never_closed_takes_no_time() -> None:
    with pytest.raises(Unreadable):
        read_json('{"a": \'' + "word " * 50_000, closed=True)
