import itertools
import json
from typing import Any

import pytest

from lingma_gateway.answers.owntools import OwnCall, OwnResult, OwnTools, Step, Unasked
from lingma_gateway.lingma.toolevents import INVOKE, INVOKE_RESULT, SYNC
from lingma_gateway.toolpolicy import Rule, ToolPolicy

POLICY = ToolPolicy.parse("list_dir=show, grep_code=approve")
LISTS = {"toolCallId": "c1", "name": "list_dir", "parameters": {"path": "src"}}
CALL = OwnCall("c1", "list_dir", '{"path":"src"}', Rule.SHOW)
DELETE = {"toolCallId": "c1", "name": "delete_file"}
DELETED = OwnCall("c1", "delete_file", "{}", Rule.DENY)


def tools(*theirs: str) -> OwnTools:
    numbers = itertools.count(1)
    return OwnTools(POLICY, lambda: f"minted_{next(numbers)}", frozenset(theirs))


def told(*pushes: tuple[str, dict[str, Any]], theirs: tuple[str, ...] = ()) -> list[Step]:
    own = tools(*theirs)
    return [step for method, params in pushes for step in own.read(method, params)] + own.end()


def sync(status: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return SYNC, {**LISTS, "toolCallStatus": status, **more}


@pytest.mark.parametrize("status", ["PENDING", "running", "Processing"])
def test_a_call_is_told_when_it_goes_on(status: str) -> None:
    own = tools()
    assert own.read(*sync("INIT")) == []
    assert own.read(*sync(status)) == [CALL]
    assert own.read(*sync(status, parameters={"path": "other"})) == []
    assert own.end() == []


def test_a_call_without_a_name_is_told_when_it_is_named_or_over() -> None:
    own = tools()
    nameless = {"toolCallId": "c1", "parameters": {"path": "src"}}
    assert own.read(SYNC, {**nameless, "toolCallStatus": "RUNNING"}) == []
    assert own.read(INVOKE, {**nameless, "name": "list_dir"}) == [CALL]
    assert told((SYNC, {**nameless, "toolCallStatus": "PENDING"})) == [
        OwnCall("c1", "tool", '{"path":"src"}', Rule.DENY)
    ]


def test_a_call_that_went_no_further_is_told_at_the_end_once() -> None:
    own = tools()
    own.read(*sync("INIT"))
    assert own.end() == [CALL]
    assert own.end() == []


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ("a.txt", "a.txt"),
        ({"n": 1}, '{"n":1}'),
        (["ü"], '["ü"]'),
        (7, "7"),
        ('{"a": 1}', '{"a": 1}'),
        ("[half", "[half"),
    ],
)
def test_a_result_is_a_string_as_it_is_or_json(result: Any, text: str) -> None:
    assert told((INVOKE_RESULT, {**LISTS, "result": result})) == [CALL, OwnResult(CALL, text, False)]


@pytest.mark.parametrize("status", ["ERROR", "Cancelled"])
def test_a_failure_is_told_at_once_in_lingmas_words(status: str) -> None:
    own = tools()
    assert own.read(*sync(status, errorMsg="no such folder")) == [CALL, OwnResult(CALL, "no such folder", True)]
    assert own.read(*sync("FINISHED", result="late")) == []


def test_what_only_finished_may_still_be_told_its_result() -> None:
    own = tools()
    assert own.read(*sync("FINISHED")) == []
    assert own.read(INVOKE_RESULT, {"toolCallId": "c1", "result": "x"}) == [CALL, OwnResult(CALL, "x", False)]
    assert told(sync("FINISHED")) == [CALL, OwnResult(CALL, "", False)]


def test_results_in_a_list_are_calls_of_their_own_in_their_order() -> None:
    listed = [{"id": "a", "name": "list_dir", "result": 1}, {"id": "b", "name": "grep_code", "result": 2}]
    first, second = OwnCall("a", "list_dir", "{}", Rule.SHOW), OwnCall("b", "grep_code", "{}", Rule.APPROVE)
    assert told((SYNC, {"results": listed})) == [
        first,
        OwnResult(first, "1", False),
        second,
        OwnResult(second, "2", False),
    ]
    assert (first.shown, second.shown) == (True, False)


def test_an_id_that_clients_do_not_take_is_replaced() -> None:
    (call,) = told((SYNC, {**LISTS, "toolCallId": "c/1", "toolCallStatus": "RUNNING"}))
    assert isinstance(call, OwnCall)
    assert call.id == "minted_1"


@pytest.mark.parametrize(
    "pushes",
    [
        [(SYNC, {**DELETE, "result": "gone"})],
        [(SYNC, {**DELETE, "toolCallStatus": "FINISHED"})],
        [(INVOKE, DELETE), (SYNC, {**DELETE, "toolCallStatus": "FINISHED", "result": "gone all the same"})],
        [(SYNC, {**DELETE, "toolCallStatus": "RUNNING"})],
    ],
    ids=["with a result", "without one", "though it was denied", "still running at the end"],
)
def test_a_denied_tool_that_lingma_runs_is_told_of(pushes: list[tuple[str, dict[str, Any]]]) -> None:
    steps = told(*pushes)
    assert steps[0] == DELETED
    assert steps.count(Unasked(DELETED)) == 1


@pytest.mark.parametrize(
    "pushes",
    [
        [(SYNC, {**DELETE, "toolCallStatus": "CANCELLED", "errorMsg": "denied by user"})],
        [(INVOKE, DELETE), (SYNC, {**DELETE, "toolCallStatus": "RUNNING"})],
        [(SYNC, {**DELETE, "toolCallStatus": "PENDING"})],
        [sync("FINISHED", result="x")],
        [sync("RUNNING")],
    ],
    ids=["denied", "asked of the gateway", "waits", "allowed", "allowed and still running"],
)
def test_a_tool_that_did_not_run_or_was_allowed_is_no_warning(pushes: list[tuple[str, dict[str, Any]]]) -> None:
    assert not [step for step in told(*pushes) if isinstance(step, Unasked)]


def test_a_call_of_a_tool_of_the_clients_has_its_arguments_as_they_are_and_no_result() -> None:
    params = {"toolCallId": "c1", "name": "Read", "parameters": {"token": "t"}}
    steps = told((INVOKE, params), (SYNC, {**params, "toolCallStatus": "FINISHED", "result": "x"}), theirs=("Read",))
    (call,) = steps
    assert call == OwnCall("minted_1", "Read", '{"token":"t"}', Rule.DENY, theirs=True)
    assert isinstance(call, OwnCall)
    assert call.shown


def test_secrets_are_masked_in_arguments_results_and_failures() -> None:
    given = {"path": "cache/user", "token": "planted"}
    for outcome in (
        {"result": {"refresh_token": "planted"}},
        {"result": 'TOKEN="planted"'},
        {"result": json.dumps({"security_oauth_token": ["planted"]})},
        {"toolCallStatus": "ERROR", "errorMsg": "password: planted"},
    ):
        assert "planted" not in repr(told((SYNC, {**LISTS, "parameters": given, **outcome})))
