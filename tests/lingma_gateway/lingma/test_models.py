from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.aliases import Aliases
from lingma_gateway.lingma import models
from lingma_gateway.lingma.models import Model, Names

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
    assert Names("default_model").key(requested, ALL) == expected


ALIASES = Aliases.parse("gpt-4o, GPT-Code=Qwen3-Coder, claude-*=kmodel, lost=another_model, gpt-*")


@pytest.mark.parametrize(
    ("requested", "expected"),
    [
        ("gpt-4o", "org_auto"),
        ("GPT-4O", "org_auto"),
        ("gpt-code", "dashscope_qwen3_coder"),
        ("gpt-99", "org_auto"),
        ("claude-sonnet-4-5-20250929", "kmodel"),
        ("lost", None),
        ("llama", None),
    ],
)
def test_an_alias_stands_for_the_default_model_or_for_the_one_it_names(requested: str, expected: str | None) -> None:
    assert Names("org_auto", ALIASES).key(requested, ALL) == expected


def test_a_models_own_name_goes_before_an_alias() -> None:
    assert Names("org_auto", Aliases.parse("kmodel=org_auto")).key("kmodel", ALL) == "kmodel"


@pytest.mark.parametrize(("listed", "requested"), [("auto", "org_auto"), ("org_auto", "AUTO")])
def test_auto_and_org_auto_are_one(listed: str, requested: str) -> None:
    offered = (Model(listed, None, is_default=True),)
    assert Names("x").key(requested, offered) == listed
    assert Names(requested).key(None, offered) == listed
    assert Names("x").key(requested, (CODER,)) is None


def test_the_default_is_taken_while_no_model_is_known() -> None:
    names = Names("org_auto")
    assert names.key("org_auto", ()) == names.key(None, ()) == "org_auto"
    assert names.key("other", ()) is None
    assert names.known("org_auto", ())
    assert not names.offered("org_auto", ())


def test_an_account_offers_what_is_in_its_list() -> None:
    names = Names("org_auto", ALIASES)
    for requested in (None, "org_auto", "Qwen3-Coder", "gpt-code", "gpt-4o"):
        assert names.offered(requested, ALL)
        assert names.known(requested, ALL)
    assert not names.offered("llama", ALL)
    assert not names.known("llama", ALL)
    assert not names.offered("gpt-code", (AUTO,))
    assert not names.known("gpt-code", (AUTO,))


def test_an_alias_is_shown_with_the_display_name_of_its_model() -> None:
    names = Names("org_auto", ALIASES)
    assert names.display_name("gpt-4o", ALL) == "Auto"
    assert names.display_name("claude-x", ALL) is None
    assert names.display_name("gpt-4o", ()) is None


def test_several_accounts_offer_the_union_of_their_models() -> None:
    other = Model("org_auto", "Another", is_default=False)
    assert models.union([(AUTO, CODER), (other, NAMELESS), ()]) == ALL
    assert models.union([]) == ()


@pytest.mark.parametrize(
    ("result", "logged_out"), [({}, True), ({"chat": []}, False), ({"quest": None}, False), (None, False), ([], False)]
)
def test_only_the_empty_object_says_logged_out(result: Any, logged_out: bool) -> None:
    assert models.says_logged_out(result) is logged_out


@given(st.text())
def test_a_name_means_a_model_that_exists_or_none(requested: str) -> None:
    assert Names("org_auto", ALIASES).key(requested, ALL) in {None, *(model.key for model in ALL)}
