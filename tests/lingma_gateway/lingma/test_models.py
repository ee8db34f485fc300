from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.lingma import models
from lingma_gateway.lingma.models import Model

AUTO = Model("org_auto", "Auto", is_default=True)
CODER = Model("dashscope_qwen3_coder", "Qwen3-Coder", is_default=False)
NAMELESS = Model("kmodel", None, is_default=False)
ALL = (AUTO, CODER, NAMELESS)


def test_models_are_listed_once_with_those_for_chats_first() -> None:
    result = {
        "quest": [{"key": "kmodel"}],
        "assistant": [
            {"key": "org_auto", "displayName": "Another"},
            {"key": "dashscope_qwen3_coder", "displayName": "Qwen3-Coder"},
        ],
        "chat": [{"key": "org_auto", "displayName": "Auto", "isDefault": True}],
        "unknown group": [{"key": "hidden"}],
    }
    assert models.parse(result) == ALL


@pytest.mark.parametrize(
    "result",
    [{}, None, [], {"chat": None}, {"chat": {}}, {"chat": [None, "x", {}, {"key": ""}, {"key": 3}, {"key": None}]}],
)
def test_a_lingma_that_is_logged_out_offers_no_models(result: Any) -> None:
    assert models.parse(result) == ()


@pytest.mark.parametrize("name", ["", None, 3])
def test_a_display_name_that_is_none_is_left_out(name: Any) -> None:
    assert models.parse({"chat": [{"key": "kmodel", "displayName": name, "isDefault": 1}]}) == (NAMELESS,)


@pytest.mark.parametrize(
    ("requested", "expected"),
    [
        (None, "default_model"),
        ("", "default_model"),
        ("default_model", "default_model"),
        ("org_auto", "org_auto"),
        ("ORG_AUTO", "org_auto"),
        ("qwen3-coder", "dashscope_qwen3_coder"),
        ("kmodel", "kmodel"),
        ("auto", "org_auto"),
        ("gpt-5", None),
    ],
)
def test_a_model_is_named_by_key_or_display_name_in_any_case(requested: str | None, expected: str | None) -> None:
    assert models.resolve(requested, ALL, "default_model") == expected


def test_auto_means_org_auto_only_where_there_is_one() -> None:
    assert models.resolve("AUTO", (Model("org_auto", None, is_default=True),), "x") == "org_auto"
    assert models.resolve("auto", (CODER,), "x") is None


def test_the_default_is_taken_while_no_model_is_known() -> None:
    assert models.resolve("org_auto", (), "org_auto") == "org_auto"
    assert models.resolve("other", (), "org_auto") is None


@given(st.text())
def test_a_name_means_a_model_that_exists_or_none(requested: str) -> None:
    assert models.resolve(requested, ALL, "org_auto") in {None, *(model.key for model in ALL)}
