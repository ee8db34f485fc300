from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lingma_contract.fingerprint import opening

texts = st.text(min_size=1).filter(lambda text: text.strip() != "")
openings = st.lists(texts, min_size=1, max_size=3)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)
message_keys = st.sampled_from(["role", "content", "type", "text"])
message_values = st.sampled_from(["user", "assistant", "text", "function_call"]) | json_values
nearly_messages = st.lists(st.dictionaries(message_keys, message_values) | json_values)


def chat(texts: list[str], *later: dict[str, Any]) -> dict[str, Any]:
    system = {"role": "system", "content": f"It is now {len(later)} o'clock"}
    return {"messages": [system, *({"role": "user", "content": text} for text in texts), *later]}


def anthropic(texts: list[str], *later: dict[str, Any]) -> dict[str, Any]:
    messages = [{"role": "user", "content": [{"type": "text", "text": text}]} for text in texts]
    return {"system": [{"type": "text", "text": f"turn {len(later)}"}], "messages": [*messages, *later]}


def responses(texts: list[str], *later: dict[str, Any]) -> dict[str, Any]:
    messages = [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]} for text in texts
    ]
    return {"instructions": "Be brief", "input": [{"role": "developer", "content": "x"}, *messages, *later]}


@given(openings)
def test_the_three_dialects_give_the_same_opening_for_the_same_text(texts: list[str]) -> None:
    assert opening(chat(texts)) == opening(anthropic(texts)) == opening(responses(texts)) is not None


@given(texts)
def test_the_short_form_of_responses_is_one_user_message(text: str) -> None:
    assert opening({"input": text}) == opening(chat([text]))


@given(texts, texts)
def test_another_opening_has_another_hash(one: str, other: str) -> None:
    assert (opening(chat([one])) == opening(chat([other]))) == (one.strip() == other.strip())


def test_two_messages_are_not_one_that_joins_them() -> None:
    assert opening(chat(["a", "b"])) != opening(chat(["a\nb"])) != opening(chat(["ab"]))


@given(openings, texts)
def test_the_opening_stays_the_same_over_later_turns(texts: list[str], more: str) -> None:
    first = opening(chat(texts))
    answer, question = {"role": "assistant", "content": "fine"}, {"role": "user", "content": more}
    assert opening(chat(texts, answer, question)) == first
    assert opening(anthropic(texts, answer, question)) == first
    assert opening(responses(texts, answer, question)) == first


@pytest.mark.parametrize(
    "kind",
    ["reasoning", "function_call", "custom_tool_call", "local_shell_call", "computer_call", "web_search_call"],
)
def test_whatever_the_model_produced_ends_the_opening(kind: str) -> None:
    question = {"role": "user", "content": "Stop, do something else"}
    assert opening(responses(["Hello"], {"type": kind}, question)) == opening(chat(["Hello"]))


def test_surrounding_white_space_and_parts_without_text_do_not_count() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:"}}
    parts = [image, {"type": "text", "text": " "}, {"type": "text", "text": "Hello "}]
    assert opening({"messages": [{"role": "user", "content": parts}]}) == opening(chat(["\nHello"]))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": None},
        {"messages": {}},
        {"messages": []},
        {"input": 3},
        {"input": " "},
        {"messages": [None, 3, "text", []]},
        {"messages": [{"role": "user"}, {"role": "user", "content": 3}, {"role": "user", "content": " "}]},
        {"messages": [{"role": "user", "content": [None, 3, {"text": 3}, {"text": " "}]}]},
        {"messages": [{"role": "assistant", "content": "Hi"}, {"role": "user", "content": "Hello"}]},
        {"messages": [{"role": ["user"], "type": {}}]},
    ],
)
def test_a_body_without_a_users_text_has_no_opening(body: dict[str, Any]) -> None:
    assert opening(body) is None


@given(st.dictionaries(st.sampled_from(["messages", "input", "x"]), nearly_messages | json_values))
@example({"input": "\ud800"})
def test_no_json_makes_it_fail(body: dict[str, Any]) -> None:
    found = opening(body)
    assert found is None or len(found) == 32
