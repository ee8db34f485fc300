import json
import re
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lingma_gateway.accounts import MAX_ACCOUNTS, Account, AccountsError, BundleSource, configured, parse
from lingma_gateway.login.credentials import Credentials

BUNDLE = "H4sIAAAAAAAC"


def of(*entries: dict[str, Any]) -> tuple[Account, ...]:
    return parse(json.dumps(entries))


def logins(text: str) -> list[tuple[str, str]]:
    found = [account.credentials for account in parse(text)]
    return [(each.username, each.password) for each in found if each is not None]


@pytest.mark.parametrize("text", ["u1:p1,u2:p2", " u1:p1 , u2:p2,", "u1 :p1,,u2:p2"])
def test_accounts_are_user_and_password_with_commas_between(text: str) -> None:
    assert logins(text) == [("u1", "p1"), ("u2", "p2")]


def test_a_password_may_hold_colons() -> None:
    assert logins("u1:a:b:,u2::") == [("u1", "a:b:"), ("u2", ":")]


USERS = st.text(st.characters(exclude_characters=",:")).map(str.strip).filter(lambda user: user[:1] not in ("", *"[{"))
PASSWORDS = st.text(st.characters(exclude_characters=",")).map(str.strip).filter(bool)


@given(st.lists(st.tuples(USERS, PASSWORDS), min_size=1, max_size=5, unique_by=lambda pair: pair[0]))
def test_every_list_of_users_and_passwords_without_commas_is_read_back(pairs: list[tuple[str, str]]) -> None:
    assert logins(",".join(f"{user}:{password}" for user, password in pairs)) == pairs


@given(st.text())
def test_any_text_gives_accounts_with_safe_unique_names_or_an_error_without_what_stands_there(text: str) -> None:
    assume(text.strip())
    try:
        names = [account.name for account in parse(text)]
    except AccountsError as error:
        assert str(error).startswith("LINGMA_ACCOUNTS")
        assert error.__cause__ is None
        assert len(text) < 12 or text not in str(error)
    else:
        assert len(set(names)) == len(names)
        assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) for name in names)


def test_json_names_every_way_to_log_in() -> None:
    accounts = of(
        {"name": "alice", "username": "u1", "password": "p,1"},
        {"name": "bob", "personal_token": "pt"},
        {"name": "carol", "access_key": "ak", "secret_key": "sk", "password": None, "username": ""},
        {"name": "dave", "session_bundle_b64": BUNDLE},
        {"name": "erin", "session_bundle_file": "/secrets/erin"},
        {"name": "frank"},
    )
    assert accounts == (
        Account("alice", Credentials(username="u1", password="p,1")),
        Account("bob", Credentials(personal_token="pt")),
        Account("carol", Credentials(access_key="ak", secret_key="sk")),
        Account("dave", Credentials(), BundleSource(text=BUNDLE)),
        Account("erin", Credentials(), BundleSource(file="/secrets/erin")),
        Account("frank", Credentials()),
    )


def test_session_bundle_is_the_bundle_or_its_file() -> None:
    accounts = of({"session_bundle": f" {BUNDLE}"}, {"session_bundle": "~/bundle"})
    assert [account.bundle for account in accounts] == [BundleSource(text=f" {BUNDLE}"), BundleSource(file="~/bundle")]
    assert all(account.bundle for account in accounts)
    assert not of({"name": "a"})[0].bundle


def test_a_name_stays_with_its_account_when_the_list_is_reordered() -> None:
    first, second = parse("u1:p1,u2:p2")
    assert [account.name for account in parse("u2:other,u1:p1")] == [second.name, first.name]
    token, key = of({"personal_token": "pt"}, {"access_key": "ak", "secret_key": "sk"})
    assert {token.name, key.name}.isdisjoint({"lingma-1", "lingma-2"})
    assert "u1" not in first.name


def test_an_account_that_only_its_bundle_tells_from_others_is_named_by_its_position() -> None:
    accounts = of({"session_bundle": BUNDLE}, {"session_bundle": "/b"}, {"name": "lingma-2"})
    assert [account.name for account in accounts] == ["lingma-1", "lingma-2-2", "lingma-2"]


BAD = {
    "u1:secret,hidden": "entry 2 is not USER:PASSWORD",
    ":secret": "entry 1 is not USER:PASSWORD",
    "hidden:": "entry 1 is not USER:PASSWORD",
    ",": "must name 1 to 64 accounts, not 0",
    "[]": "must name 1 to 64 accounts, not 0",
    ",".join(f"u{number}:secret" for number in range(MAX_ACCOUNTS + 1)): "not 65",
    "hidden:secret,b:c,hidden:d": "entry 3 repeats the user name of entry 1",
    '[{"name": "Hidden"}, {"name": "hidden"}]': "entry 2 repeats the name of entry 1",
    "[hidden": "begins like JSON and is none",
    '{"hidden": "secret"}': "must be a JSON list of objects",
    '["hidden"]': "entry 1 is no object",
    '[{"hidden": "secret"}]': "entry 1 has a field that is none of name, username",
    '[{"name": "a"}, {"username": "hidden", "password": 3}]': "entry 2: password is no string",
    '[{"password": "secret"}]': "entry 1 has a password and no username",
    '[{"username": "hidden"}]': "entry 1 has a username and nothing to log in with",
    '[{"access_key": "hidden"}]': "entry 1 needs both access_key and secret_key",
    '[{"secret_key": "secret"}]': "entry 1 needs both access_key and secret_key",
    '[{"session_bundle": "hidden", "session_bundle_b64": "secret"}]': "entry 1 has more than one of session_bundle_b64",
    '[{"name": "../hidden"}]': "entry 1 has a name that is no folder's",
    '[{"name": "cache"}]': "entry 1 has a name that is no folder's",
    '[{"name": ".."}]': "entry 1 has a name that is no folder's",
}


@pytest.mark.parametrize("text", BAD)
def test_a_bad_entry_is_named_by_its_position_and_not_repeated(text: str) -> None:
    with pytest.raises(AccountsError) as caught:
        parse(text)
    message = str(caught.value)
    assert message.startswith("LINGMA_ACCOUNTS")
    assert BAD[text] in message
    assert not re.search("hidden|secret(?!_key)", message, re.IGNORECASE)


def test_a_username_with_a_bundle_needs_no_password() -> None:
    assert of({"username": "u1", "session_bundle": BUNDLE})[0].credentials == Credentials(username="u1")


def test_nothing_of_an_account_but_its_name_is_shown() -> None:
    account = Account("alice", Credentials(username="hidden", password="secret"), BundleSource(text="bundletext"))
    assert repr(account) == "Account(name='alice', bundle=BundleSource(file=None))"


def test_without_a_list_there_is_one_account_or_as_many_as_instances() -> None:
    bundle = BundleSource(file="/bundle")
    assert configured(" ", 1, bundle) == (Account("lingma-1", None, bundle),)
    assert [account.name for account in configured("", 3)] == ["lingma-1", "lingma-2", "lingma-3"]


@pytest.mark.parametrize("count", [1, 2])
def test_with_a_list_each_account_has_an_instance(count: int) -> None:
    assert configured("a:b,c:d", count, BundleSource(file="/unused")) == parse("a:b,c:d")


def test_a_count_of_instances_that_contradicts_the_list_is_refused() -> None:
    with pytest.raises(AccountsError, match=r"LINGMA_INSTANCE_COUNT is 4, and LINGMA_ACCOUNTS names 2 account\(s\)"):
        configured("a:b,c:d", 4)
