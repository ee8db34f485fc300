import pytest

from lingma_gateway.lingma.toolanswers import ToolAnswers
from lingma_gateway.lingma.toolevents import INVOKE, SYNC
from lingma_gateway.toolpolicy import DENY_ALL, ToolPolicy

POLICY = ToolPolicy.parse("list_dir=show, grep_code=approve, delete_file=deny")
WAITS = {"toolCallId": "c1", "toolCallStatus": "PENDING"}


@pytest.mark.parametrize(
    ("name", "approved"),
    [
        ("list_dir", True),
        ("grep_code", True),
        ("delete_file", False),
        ("tool", False),
        ("List_Dir", False),
        ("", False),
    ],
)
@pytest.mark.parametrize("status", ["PENDING", "pending", " Pending "])
def test_only_what_the_policy_names_is_approved(name: str, approved: bool, status: str) -> None:
    answers = ToolAnswers(POLICY)
    assert answers.approval(SYNC, {**WAITS, "toolCallStatus": status, "name": name}) is approved
    assert ToolAnswers(DENY_ALL).approval(SYNC, {**WAITS, "name": name}) is False


def test_the_name_may_have_come_before_and_a_later_one_changes_nothing() -> None:
    answers = ToolAnswers(POLICY)
    assert answers.approval(SYNC, {"toolCallId": "c1", "toolCallStatus": "INIT", "name": "list_dir"}) is None
    assert answers.approval(SYNC, WAITS) is True
    assert answers.approval(SYNC, {**WAITS, "name": "delete_file"}) is None


@pytest.mark.parametrize(
    ("method", "params"),
    [
        (SYNC, {"toolCallId": "c1", "toolCallStatus": "RUNNING", "name": "list_dir"}),
        (SYNC, {"toolCallStatus": "PENDING", "name": "list_dir"}),
        (INVOKE, {**WAITS, "name": "list_dir"}),
        ("chat/answer", {**WAITS, "id": "c1", "name": "list_dir"}),
    ],
)
def test_nothing_is_said_where_lingma_does_not_wait_for_it(method: str, params: dict[str, str]) -> None:
    assert ToolAnswers(POLICY).approval(method, params) is None


def test_a_call_that_was_seen_is_known() -> None:
    answers = ToolAnswers(POLICY)
    assert not answers.knows({"toolCallId": "c1"})
    answers.approval(INVOKE, {"toolCallId": "c1", "name": "read_file"})
    assert answers.knows({"data": {"toolCall": {"id": "c1"}}})
    assert not answers.knows({})
