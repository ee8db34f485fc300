"""Faults of chat turns over a real WebSocket. Each is switched on by a directive for its own turn."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from lingma_sim import pushes
from lingma_sim.chunks import DRAFT, REST
from tests.lingma_sim.support import Client, Message, Turn, ask, chosen, client, eventually, log_of, talking

SAY = "\n@sim say abcd"


async def turn_with(tmp_path: Path, fault: str, say: str = SAY) -> Turn:
    """A turn of a new simulator under this fault; the one after it must be as ever."""
    async with talking(tmp_path) as (_, it):
        turn = await it.turn(f"@sim fault {fault}{say}")
        assert (await it.turn("@sim say fine")).answer == "fine"
        return turn


async def begin(it: Client, fault: str, say: str = SAY, **params: Any) -> Message:
    """Begin a turn under a fault and return what was asked."""
    asked = ask(f"@sim fault {fault}{say}", **params)
    await it.result("chat/ask", asked)
    return asked


async def test_empty_chunks_come_around_each_chunk(tmp_path: Path) -> None:
    assert (await turn_with(tmp_path, "empty-chunks=2")).chunks == ["", "", "abcd", "", ""]


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("extend", [("ab", False), ("abcd", True)]),
        ("replace", [(DRAFT, False), ("ab", True), ("cd", False)]),
        ("each", [("ab", True), ("abcd", True)]),
    ],
)
async def test_overwriting_chunks_are_marked(tmp_path: Path, kind: str, wanted: list[tuple[str, bool]]) -> None:
    turn = await turn_with(tmp_path, f"overwrite={kind}", "\n@sim chunks 2\n@sim say abcd")
    assert [(chunk["text"], chunk["overwrite"]) for chunk in turn.params("chat/answer")] == wanted


@pytest.mark.parametrize(
    ("kind", "chunks", "full"),
    [
        ("same", ["abcd"], "abcd"),
        ("only", [], "abcd"),
        ("longer", ["abcd"], "abcd" + REST),
        ("different", ["abcd"], "not this: abcd"),
    ],
)
async def test_the_full_answer_may_be_told_at_the_end(tmp_path: Path, kind: str, chunks: list[str], full: str) -> None:
    turn = await turn_with(tmp_path, f"full-answer={kind}")
    assert (turn.chunks, turn.finish["fullAnswer"]) == (chunks, full)


async def test_a_finish_without_an_answer_is_a_success(tmp_path: Path) -> None:
    turn = await turn_with(tmp_path, "no-answer")
    assert (turn.chunks, turn.finish["statusCode"], turn.finish["fullAnswer"]) == ([], 200, "")


async def test_the_session_changes_in_the_middle_and_goes_on_under_the_new_id(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        turn = await it.turn("@sim fault session-change\n@sim say abcd")
        first, second = turn.params("chat/answer")
        assert first["sessionId"] != second["sessionId"] == turn.session_id
        again = await it.turn("@sim recall", sessionId=turn.session_id, isReply=True)
        assert (again.session_id, again.answer.startswith("1. ")) == (turn.session_id, True)
        assert [one["sessionId"] for one in await it.result("chat/listAllSessions")] == [turn.session_id]


async def test_the_session_may_change_with_the_finish_alone(tmp_path: Path) -> None:
    turn = await turn_with(tmp_path, "session-change=finish")
    told = {chunk["sessionId"] for chunk in turn.params("chat/answer")}
    assert len(told) == 1
    assert turn.session_id not in told


async def test_a_turn_may_finish_with_a_code_after_a_part_of_the_answer(tmp_path: Path) -> None:
    turn = await turn_with(tmp_path, "finish-code=408 response timed out")
    assert (turn.chunks, turn.finish["statusCode"], turn.finish["reason"]) == (["ab", "cd"], 408, "response timed out")


@pytest.mark.parametrize(("kind", "code"), [("daily", 110), ("rate", 429)])
async def test_a_quota_refuses_before_any_answer(tmp_path: Path, kind: str, code: int) -> None:
    turn = await turn_with(tmp_path, f"quota={kind}")
    assert (turn.chunks, turn.finish["statusCode"]) == ([], code)


@pytest.mark.parametrize("fault", ["quota=ack", "ask-reply=refused"])
async def test_an_ask_may_be_refused_in_its_ack_and_gets_no_turn(tmp_path: Path, fault: str) -> None:
    async with talking(tmp_path) as (simulator, it):
        refused = await it.result("chat/ask", ask(f"@sim fault {fault}\n@sim say x"))
        assert not refused["isSuccess"]
        assert refused["errorMessage"]
        assert simulator.turns.count() == 0


async def test_an_ask_may_fail_with_an_rpc_error(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        assert (await it.request("chat/ask", ask("@sim fault ask-reply=error")))["error"]["code"] == -32603


async def test_a_request_may_never_be_acked_yet_have_its_turn(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        await it.send({"id": 70, "method": "chat/ask", "params": ask(f"@sim fault ask-reply=never{SAY}")})
        assert Turn({}, await it.until("chat/finish")).answer == "abcd"
        await it.request("ping")  # the next message is its answer, no ack


async def test_a_request_may_be_acked_after_its_turn(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        await it.send({"id": 70, "method": "chat/ask", "params": ask(f"@sim fault ask-reply=late{SAY}")})
        assert Turn({}, await it.until("chat/finish")).answer == "abcd"
        reply = await it.next()
        assert (reply["id"], reply["result"]["isSuccess"]) == (70, True)


async def test_a_turn_may_end_without_a_finish(tmp_path: Path) -> None:
    async with talking(tmp_path) as (simulator, it):
        await begin(it, "missing-finish")
        await it.until("chat/answer")
        await eventually(lambda: simulator.turns.count() == 0)
        await it.request("ping")
        assert (await it.turn("@sim say fine")).answer == "fine"


async def test_pushes_may_come_after_the_finish(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        await begin(it, "after-finish")
        await it.until("chat/finish")
        late, again = await it.until("chat/finish")
        assert (late["params"]["text"], again["params"]["statusCode"]) == ("too late", 500)


@pytest.mark.parametrize(("fault", "seconds"), [("slow-first=0.2", 0.2), ("slow-chunks=0.2", 0.2)])
async def test_a_turn_may_be_slow(tmp_path: Path, fault: str, seconds: float) -> None:
    began = time.monotonic()
    assert (await turn_with(tmp_path, fault)).answer == "abcd"
    assert time.monotonic() - began >= seconds


@pytest.mark.parametrize("kind", ["abort", "close", "half"])
async def test_the_connection_is_lost_in_the_middle_of_an_answer(tmp_path: Path, kind: str) -> None:
    async with talking(tmp_path) as (simulator, it):
        await begin(it, f"disconnect={kind}")
        assert [push["params"]["text"] for push in (await it.until("chat/answer"))[-1:]] == ["ab"]
        it.strict = False
        with pytest.raises(ConnectionClosed) as lost:
            await it.next()
        assert (lost.value.rcvd is not None) == (kind == "close")
        await eventually(lambda: simulator.turns.count() == 0)
        async with client(simulator.socket_port) as again:
            assert (await again.turn("@sim say fine")).answer == "fine"


async def test_the_connection_is_lost_before_any_push(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        await begin(it, "disconnect=early")
        with pytest.raises(ConnectionClosed):
            await it.next()


@pytest.mark.parametrize(("fault", "said"), [("crash", ["ab"]), ("crash=early", [])])
async def test_the_process_may_crash_in_a_turn(tmp_path: Path, fault: str, said: list[str]) -> None:
    crashed = asyncio.Event()
    async with talking(tmp_path, crash=crashed.set) as (_, it):
        await begin(it, fault)
        await it.until("chat/answer" if said else "chat/process_step_callback")
        await asyncio.wait_for(crashed.wait(), 5)


@pytest.mark.parametrize("kind", ["bare", "length", "nolength", "huge", "short", "long"])
async def test_a_malformed_frame_comes_between_two_chunks(tmp_path: Path, kind: str) -> None:
    async with talking(tmp_path) as (_, it):
        it.strict = False
        await begin(it, f"malformed-frame={kind}")
        await it.until("chat/answer")
        text = await it.websocket.recv()
        assert "from a malformed frame" in text or kind == "huge"


@pytest.mark.parametrize("kind", ["syntax", "array", "scalar", "bool-id", "method", "params"])
async def test_a_malformed_body_comes_in_a_frame_that_is_right(tmp_path: Path, kind: str) -> None:
    async with talking(tmp_path) as (_, it):
        await begin(it, f"malformed-json={kind}")
        await it.until("chat/answer")
        text = await it.websocket.recv()
        assert isinstance(text, str)
        header, _, body = text.partition("\r\n\r\n")
        assert header == f"Content-Length: {len(body)}"
        assert (await it.until("chat/finish"))[0]["params"]["text"] == "cd"


async def test_pushes_of_unknown_methods_come_with_an_id_and_without(tmp_path: Path) -> None:
    turn = await turn_with(tmp_path, "unknown-push")
    strange = [push for push in turn.pushes if push["method"].startswith("lingma/")]
    assert [(push["method"], "id" in push) for push in strange] == [
        ("lingma/unknownNotification", False),
        ("lingma/unknownRequest", True),
    ]


async def test_other_documented_pushes_come_in_the_turn(tmp_path: Path) -> None:
    turn = await turn_with(tmp_path, "other-pushes")
    assert {method for method, _ in pushes.OTHERS} <= set(turn.methods)
    assert turn.answer == "abcd"


async def test_pushes_for_another_clients_request_come_in_the_turn(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        asked = await begin(it, "foreign-pushes")
        seen = [*await it.until("chat/finish"), *await it.until("chat/finish")]
    foreign = [push["method"] for push in seen if push["params"].get("requestId") not in (asked["requestId"], None)]
    assert foreign == ["chat/answer", "chat/think", "tool/call/sync", "chat/finish"]


async def test_an_unanswered_push_may_hold_the_turn_until_the_next_question(tmp_path: Path) -> None:
    async with talking(tmp_path, ack_timeout=0.02) as (_, it):
        it.acks = False
        first = await begin(it, "unacked-stall")
        [step] = await it.until("chat/process_step_callback")
        await eventually(lambda: "no response from client" in log_of(tmp_path))
        await it.ack(step)  # too late
        await it.request("ping")  # nothing more has come
        it.acks = True
        await it.result("chat/ask", ask("@sim say second"))
        answers: dict[str, str] = {}
        finished = 0
        while finished < 2:
            push = await it.next()
            if push["method"] == "chat/answer":
                answers[push["params"]["requestId"]] = push["params"]["text"]
            finished += push["method"] == "chat/finish"
        assert answers[first["requestId"]] == "abcd"


async def test_an_answer_may_come_one_question_late(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        first = await begin(it, "one-late")
        await it.request("ping")
        await it.result("chat/ask", ask("@sim say second"))
        seen = [*await it.until("chat/finish"), *await it.until("chat/finish")]
        assert first["requestId"] in {push["params"].get("requestId") for push in seen}


@pytest.mark.parametrize("kind", ["ignored", "error", "no-finish"])
async def test_a_stop_may_not_be_what_it_seems(tmp_path: Path, kind: str) -> None:
    async with talking(tmp_path) as (simulator, it):
        asked = await begin(it, f"stop={kind}", "\n@sim say x\n@sim hang")
        await it.until("chat/answer")
        reply = await it.request("chat/stop", {"requestId": asked["requestId"], "sessionId": ""})
        assert ("error" in reply) == (kind == "error")
        await it.request("ping")  # no finish came
        assert simulator.turns.count() == (0 if kind == "no-finish" else 1)


async def test_a_tool_may_be_run_later(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        await begin(it, "tool-async", '\n@sim tool read_file {"path": "a"}\n@sim toolresult')
        invoke = (await it.until("tool/invoke"))[-1]["params"]
        assert invoke["async"] is True
        told = {"toolCallId": invoke["toolCallId"], "name": "read_file", "success": True, "result": {"text": "x"}}
        assert await it.result("tool/invokeResult", told) == {}
        turn = Turn({}, await it.until("chat/finish"))
        assert json.loads(turn.answer) == told
        statuses = [sync["toolCallStatus"] for sync in turn.params("tool/call/sync")]
        assert statuses == ["FINISHED", "REQUEST_FINISHED"]
        assert await it.result("tool/invokeResult", told) == {}
        assert "unknown tool call" in log_of(tmp_path)


@pytest.mark.parametrize("refuse", [True, False])
async def test_a_tool_run_later_may_be_refused_or_never_told(tmp_path: Path, refuse: bool) -> None:
    async with talking(tmp_path, tool_timeout=0.05) as (_, it):
        if refuse:
            it.tool_reply = {"error": {"code": 1, "message": "tool not support yet"}}
        await begin(it, "tool-async", "\n@sim tool read_file\n@sim toolresult")
        turn = Turn({}, await it.until("chat/finish"))
        assert "ERROR" in [sync["toolCallStatus"] for sync in turn.params("tool/call/sync")]
        assert ("not support" in turn.answer) == refuse


@pytest.mark.parametrize(
    ("approval", "statuses"),
    [
        (True, ["INIT", "PENDING", "RUNNING", "FINISHED", "REQUEST_FINISHED"]),
        (False, ["INIT", "PENDING", "CANCELLED", "REQUEST_FINISHED"]),
        (None, ["INIT", "PENDING", "CANCELLED", "REQUEST_FINISHED"]),
    ],
)
async def test_a_tool_may_wait_for_approval(tmp_path: Path, approval: bool | None, statuses: list[str]) -> None:
    async with talking(tmp_path, tool_timeout=0.2) as (_, it):
        await begin(it, "tool-approval", "\n@sim tool list_dir\n@sim say done")
        seen = await it.until("tool/call/sync")
        seen += await it.until("tool/call/sync")
        call = {"type": "tool_call", "toolCallId": seen[-1]["params"]["toolCallId"], "approval": approval}
        if approval is not None:
            await it.send({"id": 70, "method": "tool/call/approve", "params": call})
        while (message := await it.next()).get("method") != "chat/finish":
            seen.append(message)
    syncs = [message["params"] for message in seen if message.get("method") == "tool/call/sync"]
    assert [sync["toolCallStatus"] for sync in syncs] == statuses
    assert (approval is None) == any("timeout" in sync["errorMsg"] for sync in syncs)


async def test_the_case_of_tool_states_may_differ(tmp_path: Path) -> None:
    turn = await turn_with(tmp_path, "tool-case", "\n@sim tool list_dir")
    assert [sync["toolCallStatus"] for sync in turn.params("tool/call/sync")] == [
        "init",
        "processing",
        "finished",
        "request_finished",
    ]


async def test_the_end_of_the_tools_may_be_missing(tmp_path: Path) -> None:
    turn = await turn_with(tmp_path, "tool-unfinished", "\n@sim tool list_dir")
    assert turn.params("tool/call/sync")[-1]["toolCallStatus"] == "FINISHED"


async def test_tools_may_be_named_in_what_is_told_of_them(tmp_path: Path) -> None:
    plain = await turn_with(tmp_path / "a", "tool-unfinished", "\n@sim tool list_dir")
    named = await turn_with(tmp_path / "b", "tool-named", "\n@sim tool list_dir")
    assert ["name" in sync for sync in plain.params("tool/call/sync")] == [False] * 3
    assert [sync["name"] for sync in named.params("tool/call/sync")] == ["list_dir"] * 4


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("cache/config.json", "regionEnv"),
        ("cache/none", "no such file: cache/none"),
        ("../outside", "no such file: ../outside"),
        ("cache", "no such file: cache"),
    ],
)
async def test_tools_may_read_what_is_beside_them_and_nothing_else(tmp_path: Path, file: str, content: str) -> None:
    (tmp_path / "outside").write_text("not to be read")
    turn = await turn_with(tmp_path / "work", f"tool-reads={file}", "\n@sim tool list_dir")
    [result] = turn.params("tool/call/sync")[-2]["results"]
    assert content in result["content"]


async def test_reasoning_and_tools_may_be_fenced_inside_the_answer(tmp_path: Path) -> None:
    turn = await turn_with(tmp_path, "fenced-thinking", "\n@sim think hm\n@sim say abcd")
    assert turn.answer == "````think::1234\nhm\n````\nabcd"
    assert "chat/think" not in turn.methods
    turn = await turn_with(tmp_path, "fenced-tools", "\n@sim tool list_dir\n@sim say abcd")
    call_id = turn.params("tool/call/sync")[0]["toolCallId"]
    assert turn.answer == f"```toolCall::list_dir::{call_id}::INIT\n```\nabcd"


async def test_usage_may_be_pushed_or_not_even_logged(tmp_path: Path) -> None:
    turn = await turn_with(tmp_path, "context-usage")
    [usage] = turn.params("context/usage/sync")
    assert (usage["usedTokens"] > 0, usage["limitTokens"]) == (True, 180_000)
    before = log_of(tmp_path).count("TOKEN_USAGE")
    await turn_with(tmp_path, "no-usage-log")
    assert log_of(tmp_path).count("TOKEN_USAGE") == before + 1  # of the turn after it


async def test_turns_may_run_one_at_a_time(tmp_path: Path) -> None:
    async with talking(tmp_path, faults=chosen("serial")) as (_, it):
        await it.result("chat/ask", ask("@sim say x\n@sim hang", requestId="first"))
        await it.until("chat/answer")
        await it.result("chat/ask", ask("@sim say y", requestId="second"))
        await it.request("ping")  # no push of the second turn came
        await it.result("chat/stop", {"requestId": "first", "sessionId": ""})
        seen = [*await it.until("chat/finish"), *await it.until("chat/finish")]
        finishes = [push["params"]["requestId"] for push in seen if push["method"] == "chat/finish"]
        assert finishes == ["first", "second"]


async def test_a_second_turn_may_be_refused(tmp_path: Path) -> None:
    async with talking(tmp_path, faults=chosen("serial=refuse")) as (_, it):
        await it.result("chat/ask", ask("@sim say x\n@sim hang", requestId="first"))
        await it.until("chat/answer")
        refused = await it.result("chat/ask", ask("@sim say y"))
        assert (refused["isSuccess"], refused["errorCode"]) == (False, "429")


async def test_a_fault_switched_on_for_one_turn_spares_the_next(tmp_path: Path) -> None:
    async with talking(tmp_path, faults=chosen("finish-code=500*1")) as (_, it):
        assert (await it.turn("hello")).finish["statusCode"] == 500
        assert (await it.turn("hello")).finish["statusCode"] == 200


@pytest.mark.parametrize("fault", ["nonsense", "status=6", "overwrite=never", ""])
async def test_what_is_no_fault_of_a_turn_is_an_unknown_directive(tmp_path: Path, fault: str) -> None:
    async with talking(tmp_path) as (_, it):
        assert (await it.turn(f"@sim fault {fault}".strip())).answer == f"unknown directive: fault {fault}".strip()
