import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.aliases import DEFAULT_ALIASES, NO_ALIASES, Aliases


@pytest.mark.parametrize("text", ["gpt-4o, claude-*=kmodel,,", ' {"gpt-4o": null, "claude-*": "kmodel"}'])
def test_aliases_are_a_list_or_an_object(text: str) -> None:
    assert Aliases.parse(text) == Aliases({"gpt-4o": None}, {"claude-": "kmodel"}, ("gpt-4o",))


@pytest.mark.parametrize("text", ["", " ", ",", "{}"])
def test_nothing_means_no_aliases(text: str) -> None:
    assert Aliases.parse(text) == NO_ALIASES
    assert "gpt-4o" not in NO_ALIASES


def test_the_longest_beginning_is_taken_after_the_whole_name() -> None:
    aliases = Aliases.parse("a*=short, ab*=long, abc=whole")
    assert [aliases.target(name) for name in ("A", "aB", "abx", "ABC", "abcd")] == [
        "short",
        "long",
        "long",
        "whole",
        "long",
    ]
    assert "b" not in aliases


def test_names_are_listed_as_they_were_written_and_beginnings_are_not() -> None:
    assert Aliases.parse("GPT-4o,claude-*,o3").listed == ("GPT-4o", "o3")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a,=b", "entry 2 needs a name"),
        ("*", "entry 1 needs a name"),
        ("a*b=c", "entry 1 needs a name"),
        ("**", "entry 1 needs a name"),
        ("a,b,A=c", "entry 3 repeats"),
        ('{"a": 3}', "entry 1 needs a model"),
        ('{"": "x"}', "entry 1 needs a name"),
        ("{", "begins like a JSON object"),
    ],
)
def test_a_bad_entry_is_named_by_its_position(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint.replace("*", r"\*")):
        Aliases.parse(text)


def test_the_default_covers_what_clients_of_openai_and_anthropic_ask_for() -> None:
    aliases = Aliases.parse(DEFAULT_ALIASES)
    for name in ("gpt-5.5", "gpt-4o", "o4-mini", "claude-sonnet-4-5-20250929", "claude-haiku-9"):
        assert name in aliases
        assert aliases.target(name) is None
    assert "org_auto" not in aliases
    assert "llama" not in aliases
    assert "gpt-9" not in aliases


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        aliases = Aliases.parse(text)
    except ValueError:
        return
    for name in aliases.listed:
        assert name in aliases
