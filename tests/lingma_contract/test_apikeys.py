import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_contract import apikeys
from lingma_contract.apikeys import ApiKeys


@pytest.mark.parametrize(
    ("authorization", "x_api_key", "expected"),
    [
        ("Bearer k1", None, "k1"),
        ("bearer  k1 ", None, "k1"),
        (" BEARER k1", None, "k1"),
        (None, " k2 ", "k2"),
        ("Bearer k1", "k2", "k1"),
        ("Basic dTpw", "k2", "k2"),
        ("Bearer ", "k2", "k2"),
        ("Bearer", "k2", "k2"),
        ("Basic dTpw", None, None),
        ("", "", None),
        (None, "  ", None),
        (None, None, None),
    ],
)
def test_a_bearer_token_comes_before_x_api_key(
    authorization: str | None, x_api_key: str | None, expected: str | None
) -> None:
    assert apikeys.presented(authorization, x_api_key) == expected


def test_a_key_without_an_id_is_named_by_its_position() -> None:
    keys = ApiKeys.from_setting("first, ,team-b=second,third")
    assert keys.identify("first") == "key-1"
    assert keys.identify("second") == "team-b"
    assert keys.identify("third") == "key-4"


def test_an_unknown_key_and_no_key_have_no_id() -> None:
    keys = ApiKeys.from_setting("first")
    assert keys.identify("other") is None
    assert keys.identify("") is None
    assert keys.identify(None) is None


@pytest.mark.parametrize("key", ["c2VjcmV0Cg==", "c2VjcmV0cw=", "sk="])
def test_base64_padding_is_part_of_the_key(key: str) -> None:
    assert ApiKeys.from_setting(key).identify(key) == "key-1"


def test_only_the_first_equals_sign_separates_id_and_key() -> None:
    assert ApiKeys.from_setting("ci=c2Vj=mV0==").identify("c2Vj=mV0==") == "ci"


@pytest.mark.parametrize("setting", ["bad id=secret", "=secret", "a, -x=secret", f"{'i' * 64}=secret"])
def test_a_bad_id_is_refused_by_its_position_and_the_key_is_not_shown(setting: str) -> None:
    with pytest.raises(ValueError, match=r"API_KEYS: entry \d has no valid id") as caught:
        ApiKeys.from_setting(setting)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("setting", ["a=one,a=two", "one,key-1=two", "key-2=one,two"])
def test_an_id_that_stands_twice_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match="API_KEYS: entry 2 repeats the id") as caught:
        ApiKeys.from_setting(setting)
    assert "two" not in str(caught.value)


@pytest.mark.parametrize("setting", ["", " ", ",,"])
def test_a_setting_without_keys_accepts_none(setting: str) -> None:
    keys = ApiKeys.from_setting(setting)
    assert not keys
    assert keys.identify("") is None


def test_the_keys_of_a_secret_are_named_by_their_files_and_empty_files_are_left_out() -> None:
    keys = ApiKeys.from_mapping({"default": b"sk-1\n", "spare": b"\n"})
    assert keys
    assert keys.identify("sk-1") == "default"
    assert keys.identify("") is None
    assert len(keys.entries) == 1


def test_the_keys_are_not_shown_when_printed() -> None:
    assert "sk-lingma-1" not in repr(ApiKeys.from_setting("sk-lingma-1"))


@given(st.text(alphabet=st.characters(max_codepoint=255)))
def test_any_header_can_be_looked_up(key: str) -> None:
    assert ApiKeys.from_setting("sk-lingma-1").identify(key) == ("key-1" if key == "sk-lingma-1" else None)
