import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.sessions import loginfiles
from lingma_gateway.sessions.loginfiles import Undecipherable
from lingma_sim.login import encrypt
from tests.lingma_gateway.support_sessions import NOW_S, bundle

ID = b"0123456789abcdef-and-more"


def test_the_expiry_of_a_login_is_read_with_its_machine_id() -> None:
    files = bundle(expires_in_s=60).files
    assert loginfiles.expire_time_ms(files) == int((NOW_S + 60) * 1000)


def test_white_space_around_id_and_user_does_not_count() -> None:
    files = {"id": b" " + ID + b"\n", "user": encrypt(ID, {"expire_time": 7}) + b"\n"}
    assert loginfiles.expire_time_ms(files) == 7


@pytest.mark.parametrize("fields", [{}, {"expire_time": None}, {"expire_time": "7"}, {"expire_time": True}])
def test_a_login_without_an_expiry_has_none(fields: dict[str, object]) -> None:
    assert loginfiles.expire_time_ms({"id": ID, "user": encrypt(ID, fields)}) is None


@pytest.mark.parametrize("content", [[], "text", 7, None])
def test_a_login_that_is_no_object_has_no_expiry(content: object) -> None:
    # `encrypt` takes any JSON; its type is the one that Lingma writes.
    user = encrypt(ID, json.loads(json.dumps(content)))
    assert loginfiles.expire_time_ms({"id": ID, "user": user}) is None


@pytest.mark.parametrize(
    "user", [b"", b"no base64!", b"YWJj", base64.b64encode(b"x" * 16), base64.b64encode(b"x" * 32)]
)
def test_a_user_that_was_not_encrypted_with_this_id_is_undecipherable(user: bytes) -> None:
    with pytest.raises(Undecipherable):
        loginfiles.expire_time_ms({"id": ID, "user": user})


def test_a_login_of_another_machine_is_undecipherable() -> None:
    with pytest.raises(Undecipherable):
        loginfiles.expire_time_ms(bundle(mismatched=True).files)


@pytest.mark.parametrize("machine_id", [b"", b"0123456789abcde", b"    0123456789   "])
def test_an_id_shorter_than_the_key_is_undecipherable(machine_id: bytes) -> None:
    with pytest.raises(Undecipherable, match="shorter than 16"):
        loginfiles.expire_time_ms({"id": machine_id, "user": encrypt(ID, {})})


@given(st.binary(), st.binary())
def test_no_content_raises_anything_else_or_shows_itself(machine_id: bytes, user: bytes) -> None:
    try:
        loginfiles.expire_time_ms({"id": ID + machine_id, "user": base64.b64encode(user)})
    except Undecipherable as error:
        assert str(error) == "cache/user does not belong to cache/id"
