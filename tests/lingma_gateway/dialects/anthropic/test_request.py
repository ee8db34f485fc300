"""The fields of a request beside its conversation and its tools."""

import json
from typing import Any

import orjson
import pytest

from lingma_gateway.conversation import (
    OutputFormat,
)
from lingma_gateway.dialects.anthropic import request
from lingma_gateway.dialects.anthropic.answer import Thinking
from lingma_gateway.dialects.anthropic.fields import FIELDS
from lingma_gateway.dialects.treatment import Treatment
from tests.lingma_gateway.dialects.anthropic.support_requests import HELLO, PLAIN, READ, SCHEMA, parse, turn


@pytest.mark.parametrize(
    ("thinking", "expected"),
    [
        (None, Thinking.HIDDEN),
        ({"type": "disabled"}, Thinking.HIDDEN),
        ({"type": "enabled", "budget_tokens": 31999}, Thinking.SHOWN),
        ({"type": "adaptive"}, Thinking.SHOWN),
        ({"type": "adaptive", "display": "summarized"}, Thinking.SHOWN),
        ({"type": "adaptive", "display": "omitted"}, Thinking.OMITTED),
    ],
)
def test_thinking_is_shown_to_those_who_ask_for_it(thinking: Any, expected: Thinking) -> None:
    assert parse(thinking=thinking).thinking is expected


@pytest.mark.parametrize(
    "fields",
    [
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        {"output_format": {"type": "json_schema", "schema": SCHEMA}},
        {"output_config": {"format": None}, "output_format": {"type": "json_schema", "schema": SCHEMA}},
    ],
)
def test_a_format_of_the_answer_is_its_schema(fields: dict[str, Any]) -> None:
    assert turn(**fields).output == OutputFormat(orjson.dumps(SCHEMA).decode(), strict=True)


@pytest.mark.parametrize("fields", [{"output_config": None}, {"output_config": {}}, {"output_format": None}])
def test_no_format_is_text(fields: dict[str, Any]) -> None:
    assert turn(**fields).output is None


def test_stop_sequences_are_kept_but_for_empty_ones() -> None:
    assert turn(stop_sequences=["END", "", "\n"]).stop == ("END", "\n")


@pytest.mark.parametrize(("metadata", "user"), [(None, None), ({}, None), ({"user_id": "u"}, "u")])
def test_the_user_is_the_one_of_the_metadata(metadata: Any, user: str | None) -> None:
    assert turn(metadata=metadata).user == user


@pytest.mark.parametrize("name", [name for name in PLAIN if FIELDS[name] is Treatment.IGNORED])
def test_a_field_without_effect_is_named(name: str) -> None:
    assert turn(**{name: {"any": "value"}}).ignored == (name,)
    assert turn(**{name: None}).ignored == turn(**{name: []}).ignored == ()


@pytest.mark.parametrize("name", [name for name in PLAIN if FIELDS[name] is Treatment.SILENT])
def test_a_field_that_wants_no_effect_is_not_named(name: str) -> None:
    assert turn(**{name: {"any": "value"}}).ignored == ()


def test_fields_inside_objects_are_named_with_their_path_and_unknown_ones_too() -> None:
    asked = turn(
        thinking={"type": "enabled", "budget_tokens": 1024},
        output_config={"effort": "low", "task_budget": 3, "format": None},
        metadata={"user_id": "u", "team": "t"},
        hologram=True,
    )
    named = ("hologram", "metadata.team", "output_config.effort", "output_config.task_budget", "thinking.budget_tokens")
    assert asked.ignored == named


def test_what_is_told_of_a_tool_beyond_its_description_is_not_named() -> None:
    told = {name.removeprefix("tools[]."): True for name, fate in FIELDS.items() if fate is Treatment.SILENT}
    assert turn(tools=[{**told, **READ}]).ignored == ()


def test_a_count_needs_no_limit_and_reads_the_same_conversation() -> None:
    counted = request.parse_count(json.dumps({"messages": HELLO, "model": "m", "tools": [READ]}).encode())
    assert counted.messages == turn().messages
    assert counted.tools == turn(tools=[READ]).tools
    assert counted.max_tokens is None
