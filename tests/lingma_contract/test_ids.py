import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_contract import ids
from lingma_contract.ids import Kind

kinds = st.sampled_from(Kind)
uids = st.text(max_size=64)
keys = st.binary(min_size=1, max_size=64)
key_ids = st.text(max_size=63)
flips = st.integers(min_value=1, max_value=28)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@given(kinds, uids, keys, key_ids)
def test_every_minted_id_parses_and_verifies_with_its_key_and_key_id(
    kind: Kind, uid: str, key: bytes, key_id: str
) -> None:
    parsed = ids.parse(ids.mint(kind, uid, key, key_id))
    assert parsed is not None
    assert parsed.kind is kind
    assert parsed.account_hash == ids.account_hash(uid)
    assert ids.verify(parsed, [key], key_id)


@given(kinds, uids, keys, key_ids)
def test_every_id_is_at_most_40_characters_that_all_clients_keep(kind: Kind, uid: str, key: bytes, key_id: str) -> None:
    minted = ids.mint(kind, uid, key, key_id)
    assert minted.startswith(kind.value)
    assert len(minted) <= 40
    assert re.fullmatch(r"[A-Za-z0-9_-]+", minted)


@given(kinds, keys, keys, key_ids)
def test_another_key_does_not_verify(kind: Kind, key: bytes, other: bytes, key_id: str) -> None:
    parsed = ids.parse(ids.mint(kind, "uid", key, key_id))
    assert parsed is not None
    # HMAC pads a short key with zeros: only keys that differ beyond that are different keys.
    assert ids.verify(parsed, [other], key_id) == (key.rstrip(b"\0") == other.rstrip(b"\0"))


@given(kinds, key_ids, key_ids)
def test_an_id_is_of_no_use_to_another_api_key(kind: Kind, key_id: str, other: str) -> None:
    parsed = ids.parse(ids.mint(kind, "uid", b"key", key_id))
    assert parsed is not None
    assert ids.verify(parsed, [b"key"], other) == (key_id == other)


@given(kinds, flips, st.sampled_from(ALPHABET))
def test_an_id_with_any_character_changed_does_not_verify(kind: Kind, position: int, character: str) -> None:
    minted = ids.mint(kind, "uid", b"key", "team-a")
    changed = minted[:-position] + character + minted[len(minted) - position + 1 :]
    parsed = ids.parse(changed)
    assert parsed is not None
    assert ids.verify(parsed, [b"key"], "team-a") == (changed == minted)


def test_an_id_signed_before_the_rotation_verifies_with_the_previous_key() -> None:
    parsed = ids.parse(ids.mint(Kind.CALL, "uid", b"previous", "team-a"))
    assert parsed is not None
    assert ids.verify(parsed, [b"current", b"previous"], "team-a")
    assert not ids.verify(parsed, [b"current"], "team-a")
    assert not ids.verify(parsed, [], "team-a")


def test_the_kind_is_signed_too() -> None:
    minted = ids.mint(Kind.CALL, "uid", b"key", "team-a")
    parsed = ids.parse(Kind.MESSAGE.value + minted.removeprefix(Kind.CALL.value))
    assert parsed is not None
    assert not ids.verify(parsed, [b"key"], "team-a")


def test_two_ids_of_one_account_differ() -> None:
    assert ids.mint(Kind.MESSAGE, "uid", b"key", "team-a") != ids.mint(Kind.MESSAGE, "uid", b"key", "team-a")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "A" * 27,
        "A" * 29,
        "A" * 27 + "=",
        "A" * 26 + "==",
        "A" * 27 + "+",
        "A" * 27 + "/",
        "A" * 27 + " ",
        "A" * 27 + "\n",
        "A" * 27 + "é",
    ],
)
def test_what_we_could_not_have_minted_is_no_id(body: str) -> None:
    assert ids.parse(f"msg_{body}") is None


def test_an_unknown_prefix_is_no_id() -> None:
    assert ids.parse("run_" + "A" * 28) is None


def test_the_standard_alphabet_is_not_a_second_spelling_of_an_id() -> None:
    minted = ids.mint(Kind.CALL, "uid", b"key", "team-a", random=lambda count: b"\xff" * count)
    assert "_" in minted.removeprefix("call_")
    assert ids.parse("call_" + minted.removeprefix("call_").replace("_", "/")) is None


@given(st.text())
def test_no_text_makes_the_parser_fail(text: str) -> None:
    ids.parse(text)
    for kind in Kind:
        ids.parse(kind.value + text)


@pytest.mark.parametrize("of_input", [False, True])
@pytest.mark.parametrize("position", [0, 7, 12345])
def test_the_id_of_an_item_says_where_it_stands(position: int, of_input: bool) -> None:
    place = ids.ItemPlace(ids.mint(Kind.RESPONSE, "uid", b"key", "team"), position, of_input)
    named = place.named("msg")
    assert re.fullmatch(r"msg_[A-Za-z0-9_-]{1,42}", named)
    assert ids.item_place(named) == place
    assert ids.parse(named) is None


@pytest.mark.parametrize("value", ["", "msg_1", "rs_68af4030592c81938ec0a5fbab4a3e9f05438e46b5f69a3b", "fc_call_1_2"])
def test_an_item_of_another_server_stands_nowhere(value: str) -> None:
    assert ids.item_place(value) is None
