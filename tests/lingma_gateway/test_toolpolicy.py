import pytest

from lingma_gateway.toolpolicy import DENY_ALL, RUN_BY_CLIENT, Rule, ToolPolicy


def test_what_is_not_named_is_denied() -> None:
    policy = ToolPolicy.parse("list_dir=approve, search_codebase=show,grep_code=deny")
    assert policy.rule("list_dir") is Rule.APPROVE
    assert policy.rule("search_codebase") is Rule.SHOW
    assert policy.rule("grep_code") is Rule.DENY
    for name in ("edit_file", "tool", "", "LIST_DIR", "*"):
        assert policy.rule(name) is Rule.DENY
        assert DENY_ALL.rule(name) is Rule.DENY


@pytest.mark.parametrize("text", ["", " ", ",", "*=deny"])
def test_a_policy_may_name_nothing(text: str) -> None:
    assert ToolPolicy.parse(text).rule("list_dir") is Rule.DENY


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("list_dir", "entry 1 must be"),
        ("list_dir=allow", "entry 1 must be"),
        ("a=deny,list_dir=APPROVE", "entry 2 must be"),
        ("=show", "entry 1 needs a name"),
        ("a=show,a=deny", "entry 2 needs a name"),
        ("*=approve", "each tool that may run is to be named"),
        ("run_in_terminal=approve", "can only be denied"),
    ],
)
def test_what_would_approve_unnamed_tools_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ToolPolicy.parse(text)


@pytest.mark.parametrize("name", sorted(RUN_BY_CLIENT))
def test_what_an_ide_would_have_to_do_cannot_be_approved(name: str) -> None:
    with pytest.raises(ValueError, match="run by an IDE"):
        ToolPolicy.parse(f"{name}=show")
