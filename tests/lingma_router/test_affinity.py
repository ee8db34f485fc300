"""Which account a request wants."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_contract import ids
from lingma_contract.ids import Kind
from lingma_router.affinity import Affinity, Keyed, Lost, Pinned, Reason, Request, candidates
from lingma_router.credentials import Credentials
from tests.lingma_router.support import STEADY

MASTER = b"m" * 32
ALICE, BOB = "uid-alice", "uid-bob"
BY_HASH = {ids.account_hash(uid): uid for uid in (ALICE, BOB)}
CREDENTIALS = Credentials((MASTER,))


def an_id(kind: Kind, uid: str = ALICE, key_id: str = "team") -> str:
    return ids.mint(kind, uid, CREDENTIALS.of(uid).signing_keys[0], key_id)


def wants(
    body: dict[str, Any] | None = None,
    path: str = "/v1/chat/completions",
    key_id: str = "team",
    headers: Mapping[str, str] | None = None,
) -> list[Affinity]:
    request = Request(path=path, headers=headers or {}, body=body or {}, key_id=key_id)
    return list(candidates(request, lambda value: CREDENTIALS.resolve(value, BY_HASH, key_id)))


def key_of(found: list[Affinity]) -> bytes:
    last = found[-1]
    assert isinstance(last, Keyed)
    return last.key


def test_a_request_that_says_nothing_wants_nothing() -> None:
    assert wants() == []
    assert wants({"messages": []}) == []


@pytest.mark.parametrize("header", ["x-lingma-affinity", "x-codex-turn-state"])
def test_a_token_that_comes_back_names_its_account(header: str) -> None:
    assert wants(headers={header: an_id(Kind.AFFINITY)})[0] == Pinned(Reason.TOKEN, ALICE, hard=False)


def test_behind_a_token_stands_what_the_request_itself_says() -> None:
    token, state = an_id(Kind.AFFINITY, ALICE), an_id(Kind.AFFINITY, BOB)
    assert wants({"user": "u"}, headers={"x-lingma-affinity": token, "x-codex-turn-state": state}) == [
        Pinned(Reason.TOKEN, ALICE, hard=False),
        Pinned(Reason.TOKEN, BOB, hard=False),
        Keyed(Reason.SESSION, b"team\0u"),
    ]


def test_a_value_that_is_no_token_is_the_clients_own_key() -> None:
    assert wants(headers={"x-lingma-affinity": "my-job-7"}) == [Keyed(Reason.HEADER, b"team\0my-job-7")]


def test_another_clients_token_pins_nothing() -> None:
    stolen = an_id(Kind.AFFINITY, key_id="other-team")
    assert [type(affinity) for affinity in wants(headers={"x-lingma-affinity": stolen})] == [Keyed]
    assert wants(headers={"x-codex-turn-state": stolen}) == []


def test_an_id_that_is_no_token_does_not_serve_as_one() -> None:
    assert [type(found) for found in wants(headers={"x-lingma-affinity": an_id(Kind.CALL)})] == [Keyed]


def test_the_codex_state_of_another_server_is_passed_over() -> None:
    assert wants({"prompt_cache_key": "t"}, headers={"x-codex-turn-state": "ts-42"}) == [
        Keyed(Reason.SESSION, b"team\0t")
    ]


def test_a_previous_response_of_ours_is_hard_and_comes_before_any_token() -> None:
    body = {"previous_response_id": an_id(Kind.RESPONSE, BOB), "input": "go on"}
    assert wants(body, headers={"x-lingma-affinity": an_id(Kind.AFFINITY)})[0] == Pinned(Reason.ID, BOB, hard=True)


@pytest.mark.parametrize(
    "value", ["resp_123", an_id(Kind.RESPONSE, "uid-deleted"), an_id(Kind.RESPONSE, key_id="other"), an_id(Kind.CALL)]
)
def test_a_previous_response_that_is_not_ours_is_lost(value: str) -> None:
    assert wants({"previous_response_id": value})[0] == Lost("previous_response_id", value)


@pytest.mark.parametrize("value", [None, "", 7, []])
def test_an_empty_previous_response_asks_for_nothing(value: Any) -> None:
    assert wants({"previous_response_id": value}) == []


@pytest.mark.parametrize("path", ["/v1/responses/{}", "/v1/responses/{}/input_items", "/responses/{}"])
def test_a_stored_response_is_asked_of_its_account(path: str) -> None:
    stored = an_id(Kind.RESPONSE)
    assert wants(path=path.format(stored)) == [Pinned(Reason.ID, ALICE, hard=True)]
    assert wants(path=path.format("resp_x")) == [Lost(None, "resp_x")]


def test_the_collection_of_responses_names_none() -> None:
    assert wants(path="/v1/responses/") == []


THREADS = [{"type": "create"}, {"previous_message_id": an_id(Kind.MESSAGE, BOB)}, "x", None]


@pytest.mark.parametrize("thread", THREADS)
def test_a_thread_is_left_to_any_gateway_since_none_keeps_it(thread: Any) -> None:
    assert wants({"thread": thread}) == []


CALLS: dict[str, Callable[[object], dict[str, object]]] = {
    "a chat tool message": lambda value: {"role": "tool", "tool_call_id": value, "content": "ok"},
    "a chat tool call": lambda value: {"role": "assistant", "content": None, "tool_calls": [{"id": value}]},
    "an Anthropic result": lambda value: {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": value, "content": [{"type": "text", "text": "ok"}]}],
    },
    "an Anthropic call": lambda value: {"role": "assistant", "content": [{"type": "tool_use", "id": value}]},
    "a Responses output": lambda value: {"type": "function_call_output", "call_id": value, "output": "ok"},
    "a Responses call": lambda value: {"type": "function_call", "id": "fc_1", "call_id": value},
}


@pytest.mark.parametrize("form", CALLS)
@pytest.mark.parametrize("field", ["messages", "input"])
def test_the_last_call_id_of_ours_names_the_account(form: str, field: str) -> None:
    older, newer = an_id(Kind.CALL, BOB), an_id(Kind.TOOL_USE, ALICE)
    items = [CALLS[form](older), CALLS[form](newer), {"role": "user", "content": [{"type": "text", "text": "?"}, "x"]}]
    assert wants({field: items})[0] == Pinned(Reason.ID, ALICE, hard=False)


@pytest.mark.parametrize("prefix", ["msg", "rs", "fc"])
def test_an_item_of_a_response_of_ours_names_the_account_that_keeps_it(prefix: str) -> None:
    place = ids.ItemPlace(an_id(Kind.RESPONSE, BOB), 2)
    items = [{"type": "item_reference", "id": place.named(prefix)}, {"role": "user", "content": "?"}]
    assert wants({"input": items})[0] == Pinned(Reason.ID, BOB, hard=False)


def test_an_item_of_another_keys_response_names_nobody() -> None:
    place = ids.ItemPlace(an_id(Kind.RESPONSE, BOB, key_id="other-team"), 0)
    assert wants({"input": [{"type": "item_reference", "id": place.named("msg")}]}) == []


def test_forged_and_foreign_ids_are_passed_over() -> None:
    forged = an_id(Kind.CALL, BOB)[:-1] + "~"
    items = [CALLS["a chat tool message"](value) for value in (an_id(Kind.CALL), forged, "call_abc", 7)]
    assert wants({"messages": [*items, "nonsense", None]})[0] == Pinned(Reason.ID, ALICE, hard=False)


def test_an_affinity_token_in_a_body_is_no_call() -> None:
    assert wants({"messages": [CALLS["a chat tool message"](an_id(Kind.AFFINITY))]}) == []


SESSIONS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "Claude Code's header": ({}, {"x-claude-code-session-id": "s"}),
    "Claude Code's metadata": ({"metadata": {"user_id": json.dumps({"device_id": "d", "session_id": "s"})}}, {}),
    "metadata that is a user": ({"metadata": {"user_id": "s"}}, {}),
    "Codex's session": ({}, {"session-id": "s"}),
    "old Codex's session": ({}, {"session_id": "s"}),
    "Codex's thread before its session": ({}, {"thread-id": "s", "session-id": "parent"}),
    "old Codex's conversation": ({}, {"conversation_id": "s"}),
    "opencode's affinity": ({}, {"x-session-affinity": "s", "x-session-id": "s"}),
    "a session header": ({}, {"x-session-id": " s "}),
    "a cache key before the user": ({"prompt_cache_key": "s", "user": "u"}, {}),
    "the user": ({"user": "s"}, {}),
    "the user's new name": ({"safety_identifier": "s"}, {}),
    "an unusable header before a usable field": ({"user": "s"}, {"session-id": "x" * 2000, "thread-id": " "}),
}


@pytest.mark.parametrize("form", SESSIONS)
def test_each_dialects_session_is_one_key(form: str) -> None:
    body, headers = SESSIONS[form]
    assert wants(body, headers=headers) == [Keyed(Reason.SESSION, b"team\0s")]


def test_subagents_are_conversations_of_their_own() -> None:
    session: dict[str, Any] = {"x-claude-code-session-id": "s"}
    parent, child = wants(headers=session), wants(headers={**session, "x-claude-code-agent-id": "a3"})
    assert key_of(parent) != key_of(child)
    assert child == wants(
        {"metadata": {"user_id": json.dumps({"session_id": "s"})}}, headers={"x-claude-code-agent-id": "a3"}
    )


def test_a_request_id_is_no_session() -> None:
    assert wants(headers={"x-client-request-id": "r-1"}) == []


@pytest.mark.parametrize("metadata", [None, "x", {}, {"user_id": 7}, {"user_id": "9" * 2000}])
def test_metadata_without_a_user_is_no_session(metadata: Any) -> None:
    assert wants({"metadata": metadata}) == []


@pytest.mark.parametrize("inner", [[], {}, {"session_id": 7}])
def test_json_metadata_without_a_session_is_a_user(inner: Any) -> None:
    assert wants({"metadata": {"user_id": json.dumps(inner)}})[0] == Keyed(
        Reason.SESSION, b"team\0" + json.dumps(inner).encode()
    )


def test_without_any_key_the_opening_is_the_conversation() -> None:
    first = {"messages": [{"role": "user", "content": "hello"}]}
    later = {"messages": [*first["messages"], {"role": "assistant", "content": "hi"}, {"role": "user", "content": "?"}]}
    assert wants(first) == wants(later)
    assert wants(first)[0] == wants({"input": "hello"})[0]
    assert isinstance(wants(first)[0], Keyed)


def test_the_same_session_of_another_api_key_is_another_conversation() -> None:
    assert key_of(wants({"user": "u"}, key_id="a")) != key_of(wants({"user": "u"}, key_id="b"))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["content", "id", "role", "x"]), inner),
    max_leaves=12,
)


@STEADY
@given(
    st.dictionaries(
        st.sampled_from(
            ["messages", "input", "thread", "metadata", "user", "previous_response_id", "prompt_cache_key"]
        ),
        json_values,
    )
)
def test_no_body_is_too_odd(body: dict[str, Any]) -> None:
    assert all(isinstance(affinity, Affinity) for affinity in wants(body))
