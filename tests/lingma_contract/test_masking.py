import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_contract.masking import (
    MASK,
    MAX_DEPTH,
    Masker,
    json_without_secrets,
    text_without_secrets,
    without_secrets,
)

TOKEN = "pt-0f3a9b1c2d4e5f60718293a4b5c6d7e8"
OPAQUE = "Zk3nQ9vXb2LmR7tYw8PqHs4uJd6fGa1c"
HEX = "0f3a9b1c2d4e5f60718293a4b5c6d7e8"
REQUEST_ID = "9a1f6c52-4d0e-4b8a-9f57-0c2d8f1e7b33"


def params(value: dict[str, Any], *, keep_prompts: bool = False, known: tuple[str, ...] = ()) -> Any:
    message = {"jsonrpc": "2.0", "id": 1, "method": "some/method", "params": value}
    masked = Masker(keep_prompts=keep_prompts, known=known).message(message)
    assert {**masked, "params": None} == {**message, "params": None}
    return masked["params"]


@pytest.mark.parametrize(
    "name",
    ["token", "refreshToken", "security_oauth_token", "auth", "Cosy-MachineToken", "apiKey", "loginUrl", "machine_id"],
)
@pytest.mark.parametrize("keep_prompts", [False, True])
def test_a_secret_field_is_masked_whatever_it_holds(name: str, keep_prompts: bool) -> None:
    assert params({name: "x"}, keep_prompts=keep_prompts) == {name: MASK}
    assert params({name: {"deep": ["x", 7, True, None, ""]}}, keep_prompts=keep_prompts) == {
        name: {"deep": [MASK, 0, True, None, ""]}
    }


@pytest.mark.parametrize("keep_prompts", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        f"Bearer {OPAQUE}",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl",
        TOKEN,
        "LTAI5tQ8example01234",
        OPAQUE,
        HEX,
        "+86 13912345678",
        "https://x.example/?auth=ab1&b=2",
    ],
)
def test_what_looks_like_a_secret_is_masked_anywhere(text: str, keep_prompts: bool) -> None:
    for masked in (
        params({"unknown": text}, keep_prompts=keep_prompts),
        params({"errorMessage": f"refused ({text})"}, keep_prompts=keep_prompts),
        params({"list": [{"questionText": f"use {text} please"}]}, keep_prompts=keep_prompts),
        params({text: 1}, keep_prompts=keep_prompts),
    ):
        shown = json.dumps(masked)
        assert text not in shown
        assert "13912345678" not in shown
        assert "=ab1" not in shown


def test_what_the_protocol_is_made_of_stays() -> None:
    value = {
        "requestId": REQUEST_ID,
        "sessionId": HEX,
        "toolCallStatus": "FINISHED",
        "step": "step_collecting_workspace_tree",
        "statusCode": 403,
        "overwrite": False,
        "text": "",
        "mode": None,
        "clientInfo": {"name": "vscode", "version": "1.9.0"},
        "modelConfig": {"key": "dashscope_qwen_plus_20250428_thinking"},
        "models": [{"key": "kmodel", "displayName": "Kimi K2 (new)", "isVl": True, "maxInputTokens": 180000}],
        "errorMessage": "get mtree failed: workspacePath is empty",
    }
    assert params(value) == value


def test_the_message_of_an_error_stays_and_the_message_of_a_step_does_not() -> None:
    error = {"jsonrpc": "2.0", "id": "7", "error": {"code": -32601, "message": "unknown method: x"}}
    assert Masker().message(error) == error
    assert params({"step": "step_start", "message": "reading my secret plan"}) == {
        "step": "step_start",
        "message": "<text 22>",
    }


def test_texts_become_their_length_unless_they_are_kept() -> None:
    value = {"questionText": "héllo", "fullAnswer": "", "unknown": "two words", "extra": [{"title": "x"}]}
    assert params(value) == {
        "questionText": "<text 5>",
        "fullAnswer": "",
        "unknown": "<text 9>",
        "extra": [{"title": "<text 1>"}],
    }
    assert params(value, keep_prompts=True) == value


def test_fences_inside_an_answer_stay() -> None:
    assert params({"text": "````think::1200\nhm\n````\nDone"}) == {"text": "````think::1200<text 4>````<text 5>"}


def test_a_tools_arguments_are_text_down_to_their_keys() -> None:
    value = {"name": "run_in_terminal", "parameters": {"command": "ls", "n": 3, "/a b": "x", "/c d": ["y", {"z": "w"}]}}
    assert params(value) == {
        "name": "run_in_terminal",
        "parameters": {
            "command": "<text 2>",
            "n": 3,
            "<text 4>": "<text 1>",
            "<text 4>#3": ["<text 1>", {"z": "<text 1>"}],
        },
    }


def test_content_keeps_what_says_of_which_kind_it_is() -> None:
    assert params({"content": {"type": "text", "text": "hi"}}) == {"content": {"type": "text", "text": "<text 2>"}}


def test_a_person_gets_one_placeholder_everywhere() -> None:
    masker = Masker()
    status = {"id": "4711", "name": "Wei Li", "uid": "u-4711-x", "userType": "personal_standard", "status": 2}
    assert masker.message({"id": 1, "result": status})["result"] == {
        "id": "<person-1>",
        "name": "<person-2>",
        "uid": "<person-3>",
        "userType": "personal_standard",
        "status": 2,
    }
    later = masker.message({"id": 2, "params": {"errorMessage": "no seat for Wei Li (u-4711-x)", "uid": "u-4711-x"}})
    assert later["params"] == {"errorMessage": "no seat for <person-2> (<person-3>)", "uid": "<person-3>"}


def test_short_names_are_not_looked_for_inside_other_text_unless_they_are_no_ascii() -> None:
    masker = Masker()
    masker.message({"params": {"username": "ab", "nickname": "李伟"}})
    assert masker.message({"params": {"reason": "ab 李伟 cab"}})["params"] == {"reason": "ab <person-2> cab"}


def test_known_names_are_masked_as_whole_words() -> None:
    assert params({"reason": "carol: Carolina"}, known=("carol",)) == {"reason": "<person-1>: Carolina"}


def test_mail_addresses_are_people() -> None:
    assert params({"reason": "ask a.b@corp.example or a.b@corp.example"}) == {"reason": "ask <person-1> or <person-1>"}


def test_numbers_that_name_a_person_become_zero() -> None:
    assert params({"accountId": 4711, "expireTime": 1790000000000}) == {"accountId": 0, "expireTime": 1790000000000}


def test_paths_get_one_placeholder_each_and_keep_only_their_end_when_texts_are_kept() -> None:
    value = {
        "rootUri": "file:///home/carol/secret-project",
        "workspaceFolders": [{"uri": "file:///home/carol/secret-project", "name": "secret-project"}],
        "unknown": "/opt/x",
        "other": "C:\\Users\\Carol Li\\x",
    }
    assert params(value) == {
        "rootUri": "<path-1>",
        "workspaceFolders": [{"uri": "<path-1>", "name": "<path-2>"}],
        "unknown": "<path-3>",
        "other": "<path-4>",
    }
    kept = params(value, keep_prompts=True)
    assert kept["rootUri"] == "file:///home/<home>/secret-project"
    assert kept["other"] == "C:\\Users\\<home>\\x"
    assert kept["workspaceFolders"][0]["name"] == "secret-project"


def test_an_id_that_is_none_is_looked_at_like_anything_else() -> None:
    assert params({"requestId": "my own words"}) == {"requestId": "<text 12>"}
    assert params({"requestId": f"see {TOKEN}"}, keep_prompts=True) == {"requestId": f"see {MASK}"}


def test_images_become_their_length_even_when_texts_are_kept() -> None:
    assert params({"imageUrls": ["data:image/png;base64,AAAA"]}, keep_prompts=True) == {"imageUrls": ["<text 26>"]}
    assert params({"text": "x" * 300_000}, keep_prompts=True) == {"text": "<text 300000>"}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", ["a.", "eyJ-", "a@", "A1a", "&a_", "/home/", "\\users\\a b", "bearer ", "0f-", "`"])
def test_the_longest_text_takes_linear_time(piece: str) -> None:
    text = piece * (250_000 // len(piece))
    assert params({"text": text, "reason": text}, keep_prompts=True, known=("carol",))


def test_what_is_too_deep_is_cut_off() -> None:
    value: Any = "x"
    for _ in range(MAX_DEPTH + 5):
        value = [value]
    assert MASK in json.dumps(params({"deep": value}))


def test_an_envelope_of_another_form_is_masked_like_anything_else() -> None:
    assert Masker().message({"method": ["two words"], "id": TOKEN, "result": "two words"}) == {
        "method": ["<text 9>"],
        "id": MASK,
        "result": "<text 9>",
    }


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(string.ascii_letters + " /@=?", max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(_JSON, st.sampled_from([TOKEN, HEX, OPAQUE]), st.booleans())
def test_a_planted_secret_never_gets_through_and_the_shape_stays(around: Any, secret: str, keep_prompts: bool) -> None:
    message = {"id": 1, "params": {"x": around, "y": f"is {secret}", "z": {secret: [secret]}}}
    masked = Masker(keep_prompts=keep_prompts).message(message)
    assert secret not in json.dumps(masked)
    assert _shape(masked["params"]["x"]) == _shape(around)


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return [_shape(item) for item in value.values()]
    return [_shape(item) for item in value] if isinstance(value, list) else type(value)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("quota exceeded for today", "quota exceeded for today"),
        ("GET https://x.test/a?token=abc&b=1 failed", "GET https://x.test/a?token=***&b=1 failed"),
        ("Authorization: Bearer abcdefgh12345678 refused", "Authorization: *** refused"),
        ("user someone@example.com is not known", "user *** is not known"),
        ("cannot read /home/someone/.lingma", "cannot read /home/<home>/.lingma"),
        (
            "Unable to decrypt user info. Using machineKey: 12345678-abcd-4321-9876-0123456789ab",
            "Unable to decrypt user info. Using machineKey: ***",
        ),
        ('{"machine_id":"12345678-abcd","code":3}', '{"machine_id":"***","code":3}'),
    ],
)
def test_words_of_lingma_are_shown_without_what_is_secret_in_them(said: str, shown: str) -> None:
    assert without_secrets(said) == shown


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("TOKEN=abc rest", f"TOKEN={MASK} rest"),
        ("refresh_token: 'abc'", f"refresh_token: '{MASK}'"),
        (f"it is {OPAQUE}", f"it is {MASK}"),
        ('{"token": "abc", "n": 1}', f'{{"token":"{MASK}","n":1}}'),
        ('[{"a": "{\\"auth\\": [1]}"}]', f'[{{"a":"{{\\"auth\\":\\"{MASK}\\"}}"}}]'),
        ('{"token": "abc"', f'{{"token": "{MASK}"'),
        ('{"a": 1}', '{"a": 1}'),
        ("plain words", "plain words"),
    ],
)
def test_what_a_tool_told_is_masked_as_text_or_as_json(text: str, masked: str) -> None:
    assert text_without_secrets(text) == masked


def test_json_is_masked_by_names_and_by_looks_and_keeps_its_shape() -> None:
    value = {"secret": {"deep": 1}, "password": "", "list": [1, None, True, OPAQUE], OPAQUE: 2}
    assert json_without_secrets(value) == {
        "secret": MASK,
        "password": "",
        "list": [1, None, True, MASK],
        MASK: 2,
    }


def test_what_is_nested_too_deeply_is_cut_off() -> None:
    value: Any = "x"
    for _ in range(MAX_DEPTH + 5):
        value = [value]
    assert MASK in json.dumps(json_without_secrets(value))
    assert text_without_secrets("[" * 100_000) == "[" * 100_000
