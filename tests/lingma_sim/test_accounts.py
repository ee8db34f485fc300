import json

import pytest

from lingma_sim import accounts
from lingma_sim.accounts import Accounts, AccountsError, Person, parse

FILE = json.dumps(
    [
        {
            "uid": "u1",
            "username": "alice@example.com",
            "password": "pw",
            "personalToken": "tok",
            "accessKey": "AK",
            "secretKey": "SK",
            "organizations": [{"orgId": "o1", "orgName": "One"}, {"orgId": "o2"}],
        },
        {"uid": "u2"},
    ]
)


def test_without_a_file_anybody_logs_in_by_a_rule() -> None:
    anybody = Accounts()
    assert anybody.by_password("alice", "anything") == Person("alice")
    assert anybody.by_password("alice", accounts.WRONG) is None
    assert anybody.by_password("alice", "") is None
    assert anybody.by_password("", "x") is None
    assert anybody.by_personal_token("pat-alice") == Person("alice")
    assert anybody.by_personal_token("pat-") is None
    assert anybody.by_personal_token("alice") is None
    assert anybody.by_key("ak-alice", "sk-alice") == Person("alice")
    assert anybody.by_key("ak-alice", "sk-bob") is None
    assert anybody.by_key("alice", "sk-alice") is None
    assert anybody.organizations("alice") == ()


def test_with_a_file_only_its_credentials_count() -> None:
    known = parse(FILE)
    alice = known.by_password("alice@example.com", "pw")
    assert alice is not None
    assert alice.uid == "u1"
    assert alice.organizations == (("o1", "One"), ("o2", "o2"))
    assert known.by_personal_token("tok") == alice
    assert known.by_key("AK", "SK") == alice
    assert known.organizations("u1") == alice.organizations
    assert known.organizations("nobody") == ()
    assert known.by_password("alice@example.com", "other") is None
    assert known.by_personal_token("pat-u1") is None
    assert known.by_key("AK", "other") is None


def test_an_account_without_a_credential_cannot_use_it() -> None:
    known = parse(FILE)
    assert known.by_password("u2", "") is None
    assert known.by_personal_token("") is None
    assert known.by_key("", "") is None


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[" * 99_999,
        "{}",
        '["alice"]',
        '[{"username": "alice"}]',
        '[{"uid": 7}]',
        '[{"uid": "a", "organizations": {}}]',
        '[{"uid": "a", "organizations": ["o"]}]',
        '[{"uid": "a", "organizations": [{"orgName": "One"}]}]',
    ],
)
def test_what_is_no_accounts_file_is_refused(text: str) -> None:
    with pytest.raises(AccountsError):
        parse(text)


def test_a_printed_person_shows_no_secret() -> None:
    assert "pw" not in repr(parse(FILE).by_password("alice@example.com", "pw"))
