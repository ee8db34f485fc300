import base64
import time

import pytest

from lingma_sim import login
from lingma_sim.login import LoginUnreadable, Status

NOW = 1_800_000_000.0
MACHINE = b"0f6a2f4e-1111-2222-3333-444455556666"


def test_a_login_is_read_back_with_its_machine_id() -> None:
    fields = login.new_login("alice", NOW, 60)
    account = login.decrypt(MACHINE + b"\n", login.encrypt(MACHINE, fields) + b"\n")
    assert (account.uid, account.name, account.aid) == ("alice", "alice", "aid-alice")
    assert account.security_oauth_token == fields["security_oauth_token"]
    assert account.expire_time == int((NOW + 60) * 1000)


def test_only_the_first_16_characters_of_the_machine_id_are_the_key() -> None:
    user = login.encrypt(MACHINE, login.new_login("alice", NOW))
    assert login.decrypt(MACHINE[:16] + b"-other", user).uid == "alice"


def test_a_login_ends_at_its_expiry() -> None:
    account = login.decrypt(MACHINE, login.encrypt(MACHINE, login.new_login("alice", NOW, 60)))
    assert account.status(NOW + 59) is Status.LOGIN
    assert account.status(NOW + 60) is Status.EXPIRED


@pytest.mark.parametrize(
    ("machine_id", "user"),
    [
        (b"ffffffff-0000-0000", login.encrypt(MACHINE, login.new_login("alice", NOW))),
        (b"short", login.encrypt(MACHINE, login.new_login("alice", NOW))),
        (MACHINE, b"*** no base64 ***"),
        (MACHINE, base64.b64encode(b"no whole block")),
        (MACHINE, b""),
        (MACHINE, login.encrypt(MACHINE, {"uid": "alice"})),
        (MACHINE, login.encrypt(MACHINE, {"expire_time": 1})),
        (MACHINE, login.encrypt(MACHINE, ["no", "object"])),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_login_of_this_machine_is_unreadable(machine_id: bytes, user: bytes) -> None:
    with pytest.raises(LoginUnreadable):
        login.decrypt(machine_id, user)


def test_fields_that_are_missing_or_no_text_are_empty() -> None:
    account = login.decrypt(MACHINE, login.encrypt(MACHINE, {"uid": "alice", "expire_time": 1, "name": 7}))
    assert (account.name, account.user_type) == ("", "")


def test_a_printed_account_shows_no_token() -> None:
    account = login.decrypt(MACHINE, login.encrypt(MACHINE, login.new_login("alice", NOW)))
    assert account.security_oauth_token not in repr(account)
    assert account.refresh_token not in repr(account)


def test_bundles_of_one_uid_share_the_machine_and_differ_in_tokens() -> None:
    first, second = (login.cache_files("alice", time.time(), 60) for _ in range(2))
    assert first["id"] == second["id"] != login.cache_files("bob", time.time(), 60)["id"]
    assert first["user"] != second["user"]


def test_a_mismatched_login_does_not_fit_its_machine() -> None:
    files = login.cache_files("alice", NOW, 60, mismatched=True)
    with pytest.raises(LoginUnreadable):
        login.decrypt(files["id"], files["user"])
