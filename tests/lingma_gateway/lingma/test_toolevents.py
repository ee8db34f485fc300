from typing import Any

import pytest

from lingma_gateway.lingma.toolevents import (
    INVOKE,
    INVOKE_RESULT,
    SYNC,
    Status,
    ToolEvents,
    ToolUse,
    call_id,
    status_of,
)
from lingma_gateway.toolpolicy import UNNAMED

READ = {"toolCallId": "c1", "name": "read_file", "parameters": {"path": "a"}}


def seen(*pushes: tuple[str, dict[str, Any]]) -> tuple[ToolUse, ...]:
    events = ToolEvents()
    for method, params in pushes:
        events.observe(method, params)
    return events.uses


def only(*pushes: tuple[str, dict[str, Any]]) -> ToolUse:
    (use,) = seen(*pushes)
    return use


# Forms of a push


@pytest.mark.parametrize(
    "params",
    [
        READ,
        {"tool_call_id": "c1", "toolName": "read_file", "arguments": {"path": "a"}},
        {"id": "c1", "tool_name": "read_file", "args": {"path": "a"}},
        {"toolCall": {"id": "c1", "name": "read_file", "input": {"path": "a"}}},
        {"tool_call": {"toolCallId": "c1", "name": "read_file", "input": {"path": "a"}}, "requestId": "r"},
        {"tool": {"id": "c1", "name": "read_file"}, "parameters": {"path": "a"}},
        {"data": {"toolCall": {"id": "c1", "name": "read_file", "input": {"path": "a"}}}},
        {"results": [{"toolCallId": "c1", "name": "read_file", "input": {"path": "a"}}]},
        {"toolCallId": "c1", "toolCall": {"name": "read_file", "input": {"path": "a"}}},
        {"toolCallId": "c1", "name": "read_file", "toolCall": {"input": {"path": "a"}}},
    ],
)
def test_a_call_is_found_under_each_of_its_names(params: dict[str, Any]) -> None:
    assert only((SYNC, params)) == ToolUse("c1", "read_file", {"path": "a"})


@pytest.mark.parametrize(
    "params",
    [
        {"toolCallId": "c1", "result": {"text": "x"}},
        {"toolCall": {"id": "c1", "result": {"text": "x"}}},
        {"toolCall": {"id": "c1"}, "result": {"text": "x"}},
        {"toolCall": {"id": "c1"}, "data": {"result": {"text": "x"}}},
    ],
)
def test_a_result_is_found_under_each_of_its_names(params: dict[str, Any]) -> None:
    assert only((INVOKE_RESULT, params)).result == {"text": "x"}


def test_a_list_of_results_without_ids_is_the_result_of_the_call() -> None:
    assert only((SYNC, {"toolCallId": "c1", "results": ["a", {"b": 1}]})).result == ["a", {"b": 1}]
    assert only((SYNC, {"toolCallId": "c1", "results": []})).result is None


def test_results_with_ids_are_calls_of_their_own() -> None:
    results = [{"id": "c1", "name": "a", "result": 1}, {"id": "c2", "name": "b", "input": {"x": 1}, "result": 2}]
    assert seen((SYNC, {"results": results})) == (ToolUse("c1", "a", {}, 1), ToolUse("c2", "b", {"x": 1}, 2))


@pytest.mark.parametrize("params", [{}, {"name": "read_file"}, {"toolCall": "no object"}, {"results": "none"}])
def test_what_has_no_id_tells_nothing(params: dict[str, Any]) -> None:
    assert ToolEvents().observe(SYNC, params) == []
    assert call_id(params) == ""


def test_the_id_of_a_push_is_that_of_its_call() -> None:
    assert call_id(READ) == "c1"


# Statuses


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("INIT", Status.INIT),
        ("pending", Status.PENDING),
        ("Processing", Status.RUNNING),
        ("RUNNING", Status.RUNNING),
        (" finished ", Status.FINISHED),
        ("ERROR", Status.ERROR),
        ("canceled", Status.CANCELLED),
        ("REQUEST_FINISHED", Status.REQUEST_FINISHED),
        ("new in some version", None),
        (7, None),
    ],
)
def test_a_status_is_read_in_any_case_and_wording(word: Any, status: Status | None) -> None:
    assert status_of({"toolCallStatus": word}) is status


@pytest.mark.parametrize(
    ("told", "ended", "is_error"),
    [
        ({"toolCallStatus": "RUNNING"}, False, False),
        ({"toolCallStatus": "FINISHED"}, True, False),
        ({"toolCallStatus": "ERROR", "errorMsg": "no such file"}, True, True),
        ({"toolCallStatus": "CANCELLED"}, True, True),
        ({"result": {"text": "x"}}, True, False),
        ({"success": False, "result": {}}, True, True),
        ({"success": False, "errorMessage": "denied"}, False, True),
    ],
)
def test_what_is_told_says_whether_it_ended_and_how(told: dict[str, Any], ended: bool, is_error: bool) -> None:
    use = only((SYNC, {"toolCallId": "c1", **told}))
    assert (use.ended, use.is_error) == (ended, is_error)


def test_a_reported_result_ends_a_call_even_without_a_status() -> None:
    assert only((INVOKE_RESULT, {"toolCallId": "c1", "success": True})).status is Status.FINISHED


# Merging


def test_a_real_name_replaces_none_and_stays() -> None:
    sync = (SYNC, {"toolCallId": "c1", "parameters": {"path": "a"}})
    assert only(sync).name == UNNAMED
    assert only(sync, (INVOKE, READ), sync).name == "read_file"
    assert only((INVOKE, READ), (INVOKE, {**READ, "name": "read"})).name == "read"


def test_a_later_input_and_result_win_and_empty_ones_do_not() -> None:
    first = (SYNC, {"toolCallId": "c1", "input": {"a": 1}, "result": "one"})
    assert only(first, (SYNC, {"toolCallId": "c1", "input": {}})) == only(first)
    changed = only(first, (SYNC, {"toolCallId": "c1", "input": {"a": 2}, "result": "two"}))
    assert (changed.input, changed.result) == ({"a": 2}, "two")


def test_a_status_goes_forwards_only() -> None:
    def states(*words: str) -> Status:
        return only(*((SYNC, {"toolCallId": "c1", "toolCallStatus": word}) for word in words)).status

    assert states("INIT", "RUNNING", "INIT") is Status.RUNNING
    assert states("FINISHED", "RUNNING") is Status.FINISHED
    assert states("FINISHED", "ERROR") is Status.ERROR
    assert states("RUNNING", "REQUEST_FINISHED") is Status.RUNNING


def test_only_what_is_new_is_told_and_calls_keep_the_order_of_their_first_sight() -> None:
    events = ToolEvents()
    second = {**READ, "toolCallId": "c2"}
    assert [use.id for use in events.observe(INVOKE, READ)] == ["c1"]
    assert [use.id for use in events.observe(INVOKE, second)] == ["c2"]
    assert events.observe(INVOKE, READ) == []
    assert [use.id for use in events.observe(SYNC, {**READ, "toolCallStatus": "FINISHED"})] == ["c1"]
    assert [use.id for use in events.uses] == ["c1", "c2"]
    assert events.get("c2") == events.uses[1]
    assert events.get("c3") is None
