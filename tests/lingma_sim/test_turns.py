"""Chat turns over a real WebSocket."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from lingma_sim.pushes import RUN_INSIDE
from tests.lingma_sim.support import Turn, ask, client, eventually, log_of, talking


def usage_lines(path: Path) -> list[dict[str, Any]]:
    mark = "[TOKEN_USAGE]: "
    return [json.loads(line.split(mark, 1)[1]) for line in log_of(path).splitlines() if mark in line]


async def test_a_turn_pushes_in_the_documented_order(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        turn = await it.turn("@sim think hm\n@sim chunks 2\n@sim say pong")
    assert turn.methods == [
        "chat/process_step_callback",
        "chat/process_step_callback",
        "session/title/update",
        "chat/think",
        "chat/think",
        "chat/answer",
        "chat/answer",
        "chat/finish",
    ]
    assert [params["step"] for params in turn.params("chat/process_step_callback")] == ["step_start", "step_end"]
    assert [(params["step"], params["text"]) for params in turn.params("chat/think")] == [("start", "hm"), ("done", "")]
    assert turn.chunks == ["po", "ng"]


async def test_a_request_is_acked_at_once_and_echoed(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        turn = await it.turn("grüße\n你好", requestId="r1")
    assert turn.ack == {
        "requestId": "r1",
        "isSuccess": True,
        "errorCode": "",
        "errorMessage": "",
        "status": "success",
    }
    assert turn.answer == "echo: grüße\n你好"
    assert {push["params"].get("requestId", "r1") for push in turn.pushes} == {"r1"}
    assert turn.finish == {
        "requestId": "r1",
        "sessionId": turn.session_id,
        "reason": "success",
        "statusCode": 200,
        "fullAnswer": "",
        "extra": {"sessionType": "chat"},
    }


async def test_a_notification_gets_no_ack_and_the_same_turn(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        await it.send({"method": "chat/ask", "params": ask("hello")})
        turn = Turn({}, await it.until("chat/finish"))
    assert turn.answer == "echo: hello"


async def test_the_question_is_questiontext_alone(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        turn = await it.turn("this", content="not this", text="nor this", message="nor that")
    assert turn.answer == "echo: this"


async def test_each_push_waits_for_the_reply_to_the_one_before(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        it.acks = False
        await it.result("chat/ask", ask("hello"))
        seen: list[str] = []
        while not seen or seen[-1] != "chat/finish":
            push = await it.next()
            seen.append(push["method"])
            # The very next message is the answer to the ping: no further push was sent meanwhile.
            await it.result("ping")
            await it.ack(push)
    assert seen[-2:] == ["chat/answer", "chat/finish"]


async def test_an_error_reply_is_a_reply(tmp_path: Path) -> None:
    async with talking(tmp_path, ack_timeout=60) as (_, it):
        it.acks = False
        await it.result("chat/ask", ask("hello"))
        push = await it.next()
        await it.send({"id": push["id"], "error": {"code": -32601, "message": "no such method"}})
        assert (await it.next())["method"] == "chat/process_step_callback"


async def test_unanswered_pushes_time_out_and_the_turn_goes_on(tmp_path: Path) -> None:
    async with talking(tmp_path, ack_timeout=0.02) as (_, it):
        it.acks = False
        await it.result("chat/ask", ask("hello", requestId="r1"))
        turn = Turn({}, await it.until("chat/finish"))
        assert turn.answer == "echo: hello"
        [line] = [line for line in log_of(tmp_path).splitlines() if "chat/answer" in line]
        assert "|Outbound| request r1 chat/answer" in line
        assert line.endswith("failed: no response from client, timeout reached")


async def test_pushes_go_to_every_connection_and_the_first_reply_counts(tmp_path: Path) -> None:
    async with talking(tmp_path, ack_timeout=60) as (simulator, it), client(simulator.socket_port) as other:
        other.acks = False
        turn = await it.turn("hello")
        seen = await other.until("chat/finish")
    assert [push["method"] for push in seen] == turn.methods
    assert [push["params"] for push in seen] == [push["params"] for push in turn.pushes]


async def test_push_ids_count_from_one_on_each_connection(tmp_path: Path) -> None:
    async with talking(tmp_path) as (simulator, it):
        await it.turn("hello")
        async with client(simulator.socket_port) as other:
            turn = await other.turn("hello")
    assert [push["id"] for push in turn.pushes] == list(range(1, len(turn.pushes) + 1))


async def test_a_session_remembers_its_questions(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        first = await it.turn("my name is Bob")
        second = await it.turn("@sim recall", sessionId=first.session_id, isReply=True)
        other = await it.turn("@sim recall")
    assert second.session_id == first.session_id
    assert second.answer == "1. my name is Bob"
    assert "session/title/update" not in second.methods
    assert (other.answer, other.session_id != first.session_id) == ("(nothing)", True)


async def test_a_reply_in_a_forgotten_session_has_a_new_session_id_and_no_memory(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        turn = await it.turn("@sim recall", sessionId="gone", isReply=True)
    assert turn.session_id != "gone"
    assert turn.answer == "(nothing)"


async def test_whoami_and_model_tell_the_account_and_the_model_asked_for(tmp_path: Path) -> None:
    async with talking(tmp_path, "bob") as (_, it):
        turn = await it.turn("@sim whoami\n@sim model", extra={"modelConfig": {"key": "kmodel"}})
        without = await it.turn("@sim model", extra={"modelConfig": None})
    assert turn.answer == "bob\nkmodel"
    assert without.answer == ""


async def test_an_unknown_directive_is_named_in_the_answer(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        assert (await it.turn("@sim dance")).answer == "unknown directive: dance"


async def test_a_short_answer_in_many_chunks_has_empty_ones(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        turn = await it.turn("@sim chunks 4\n@sim delay 1\n@sim say ab")
    assert turn.chunks == ["", "a", "", "b"]


async def test_a_failing_turn_finishes_with_its_status_after_what_it_said(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        turn = await it.turn("@sim say part\n@sim fail 500 it broke")
        silent = await it.turn("@sim fail 110 daily usage limit")
    assert turn.answer == "part"
    assert (turn.finish["statusCode"], turn.finish["reason"]) == (500, "it broke")
    assert (silent.chunks, silent.finish["statusCode"]) == ([], 110)


async def test_a_stopped_turn_ends_once_as_cancelled_after_the_ack(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        params = ask("@sim say part\n@sim hang")
        await it.result("chat/ask", params)
        await it.until("chat/answer")
        assert await it.result("session/getCurrent") != {"currentSessionIds": []}
        stop = {"requestId": params["requestId"], "sessionId": ""}
        assert await it.result("chat/stop", stop) == {"success": True}
        [finish] = await it.until("chat/finish")
        assert finish["params"]["reason"] == "cancelled"
        assert finish["params"]["requestId"] == params["requestId"]
        assert await it.result("session/getCurrent") == {"currentSessionIds": []}
        assert await it.result("chat/stop", stop) == {"success": True}
        # Nothing else comes: the next message answers the ping.
        await it.result("ping")


async def test_stopping_a_session_stops_its_turns_alone(tmp_path: Path) -> None:
    async with talking(tmp_path) as (simulator, it):
        for session in ("one", "two"):
            await it.result("chat/ask", ask("@sim say x\n@sim hang", sessionId=session))
            await it.until("chat/answer")
        await it.result("chat/stopSession", {"sessionId": "one"})
        assert [push["params"]["sessionId"] for push in await it.until("chat/finish")] == ["one"]
        assert simulator.turns.session_ids() == ["two"]


async def test_turns_run_at_once(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        slow = ask("@sim hang", requestId="slow")
        await it.result("chat/ask", slow)
        await it.send({"id": 70, "method": "chat/ask", "params": ask("quick", requestId="quick")})
        while True:
            message = await it.next()
            if message.get("method") == "chat/finish":
                assert message["params"]["requestId"] == "quick"
                break


async def test_when_every_client_is_gone_the_turns_are_cancelled(tmp_path: Path) -> None:
    async with talking(tmp_path) as (simulator, it), client(simulator.socket_port) as asking:
        await asking.result("chat/ask", ask("@sim hang"))
        await asking.websocket.close()
        await eventually(lambda: len(simulator.hub.connections) == 1)
        assert len(simulator.turns.session_ids()) == 1
        await it.websocket.close()
        await eventually(lambda: simulator.turns.session_ids() == [])


async def test_a_request_id_in_use_and_an_empty_one_are_refused(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        await it.result("chat/ask", ask("@sim hang", requestId="r1"))
        await it.send({"id": 70, "method": "chat/ask", "params": ask("hello", requestId="r1")})
        while "id" not in (reply := await it.next()) or "method" in reply:
            continue
        assert (reply["result"]["isSuccess"], reply["result"]["errorMessage"]) == (False, "requestId is in use")
    async with talking(tmp_path) as (_, it):
        refused = await it.result("chat/ask", ask("hello", requestId=""))
        assert (refused["isSuccess"], refused["errorMessage"]) == (False, "requestId is empty")


async def test_logged_out_an_ask_is_refused_in_the_ack_or_by_finish(tmp_path: Path) -> None:
    async with talking(tmp_path, "") as (_, it):
        refused = await it.result("chat/ask", ask("hello"))
        assert (refused["isSuccess"], refused["errorCode"], refused["errorMessage"]) == (False, "401", "not login")
        await it.send({"method": "chat/ask", "params": ask("hello", requestId="r2")})
        [finish] = await it.until("chat/finish")
        assert (finish["params"]["statusCode"], finish["params"]["requestId"]) == (401, "r2")


async def test_the_logout_directive_logs_out_and_reports_it(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        turn = await it.turn("@sim logout\n@sim say bye\n@sim whoami")
        assert turn.answer == "bye\n"
        [report] = turn.params("auth/report")
        assert report["status"] == 1
        assert await it.result("config/queryModels") == {}


async def test_a_crash_happens_at_once_or_after_what_was_to_be_said(tmp_path: Path) -> None:
    crashed = asyncio.Event()
    async with talking(tmp_path, crash=crashed.set) as (_, it):
        await it.result("chat/ask", ask("@sim crash"))
        await asyncio.wait_for(crashed.wait(), 5)
        crashed.clear()
    async with talking(tmp_path, crash=crashed.set) as (_, it):
        await it.result("chat/ask", ask("@sim say part\n@sim crash"))
        await it.until("chat/answer")
        await asyncio.wait_for(crashed.wait(), 5)


async def test_usage_is_in_the_log_and_not_on_the_wire(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        turn = await it.turn("@sim say pong", requestId="r1")
    assert usage_lines(tmp_path) == [
        {"completion_tokens": 1, "prompt_tokens": 4, "request_id": "r1", "total_tokens": 5}
    ]
    assert "token" not in json.dumps(turn.pushes).lower()


async def test_sessions_are_listed_read_and_deleted(tmp_path: Path) -> None:
    async with talking(tmp_path, "alice") as (_, it):
        session_id = (await it.turn("hello")).session_id
        [listed] = await it.result("chat/listAllSessions", {"projectUri": ""})
        assert (listed["sessionId"], listed["userId"]) == (session_id, "alice")
        assert listed["chatRecords"][0]["answer"] == "echo: hello"
        assert await it.result("chat/getSessionById", {"sessionId": session_id}) == listed
        assert await it.result("chat/deleteSessionById", {"sessionId": session_id}) == {"success": True}
        assert (await it.request("chat/getSessionById", {"sessionId": session_id}))["error"]["code"] == -32603
        await it.turn("hello")
        assert await it.result("chat/clearAllSessions") == {"success": True}
        assert await it.result("chat/listAllSessions", {"projectUri": ""}) == []


async def test_a_tool_of_the_client_is_invoked_and_its_reply_told(tmp_path: Path) -> None:
    reply = {"toolCallId": "x", "name": "read_file", "success": True, "errorMessage": "", "result": {"text": "ü"}}
    async with talking(tmp_path) as (_, it):
        it.tool_reply = {"result": reply}
        turn = await it.turn('@sim tool read_file {"path":"a"}\n@sim toolresult')
        later = await it.turn("@sim toolresult", sessionId=turn.session_id, isReply=True)
    assert [method for method in turn.methods if method.startswith("tool/")] == [
        "tool/call/sync",
        "tool/call/sync",
        "tool/invoke",
        "tool/call/sync",
        "tool/call/sync",
    ]
    syncs = turn.params("tool/call/sync")
    assert [sync["toolCallStatus"] for sync in syncs] == ["INIT", "RUNNING", "FINISHED", "REQUEST_FINISHED"]
    assert not any("name" in sync or "toolName" in sync for sync in syncs)
    assert syncs[2]["results"] == [reply]
    [invoke] = turn.params("tool/invoke")
    assert (invoke["name"], invoke["parameters"], invoke["async"]) == ("read_file", {"path": "a"}, False)
    assert invoke["toolCallId"] == syncs[0]["toolCallId"]
    assert json.loads(turn.answer) == reply
    assert json.loads(later.answer) == reply


@pytest.mark.parametrize(
    ("reply", "error", "told"),
    [
        (
            {"error": {"code": -32601, "message": "tool not support yet"}},
            "tool not support yet",
            {"error": {"code": -32601, "message": "tool not support yet"}},
        ),
        ({"error": "odd"}, "error", {"error": "odd"}),
        ({"error": {}}, "error", {"error": {}}),
        (
            {"result": {"success": False, "errorMessage": "no file"}},
            "no file",
            {"success": False, "errorMessage": "no file"},
        ),
        ({"result": {"success": False}}, "tool failed", {"success": False}),
        ({"result": {}}, "", {}),
    ],
)
async def test_the_state_of_a_tool_follows_its_reply(tmp_path: Path, reply: Any, error: str, told: Any) -> None:
    async with talking(tmp_path) as (_, it):
        it.tool_reply = reply
        turn = await it.turn("@sim tool get_problems\n@sim toolresult")
    sync = turn.params("tool/call/sync")[2]
    assert (sync["toolCallStatus"], sync["errorMsg"]) == ("ERROR" if error else "FINISHED", error)
    assert json.loads(turn.answer) == told


async def test_a_tool_that_nobody_answers_ends_as_an_error(tmp_path: Path) -> None:
    async with talking(tmp_path, tool_timeout=0.02, ack_timeout=60) as (_, it):
        it.acks = False
        await it.result("chat/ask", ask("@sim tool read_file\n@sim toolresult"))
        while (push := await it.next())["method"] != "chat/answer":
            if push["method"] != "tool/invoke":
                await it.ack(push)
            if push["params"].get("toolCallStatus") == "ERROR":
                assert "no response from client" in push["params"]["errorMsg"]
        assert push["params"]["text"] == "null"


async def test_lingmas_own_tools_are_shown_and_not_invoked(tmp_path: Path) -> None:
    assert "list_dir" in RUN_INSIDE
    async with talking(tmp_path) as (_, it):
        turn = await it.turn("@sim tool list_dir {}")
    assert "tool/invoke" not in turn.methods
    statuses = [sync["toolCallStatus"] for sync in turn.params("tool/call/sync")]
    assert statuses == ["INIT", "RUNNING", "FINISHED", "REQUEST_FINISHED"]


async def test_sessions_outlive_a_restart_until_they_are_deleted(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        kept = await it.turn("my name is Bob")
        gone = (await it.turn("forget me")).session_id
        await it.result("chat/deleteSessionById", {"id": gone})
    assert (tmp_path / "cache" / "db" / "local.db").stat().st_mode & 0o777 == 0o600
    async with talking(tmp_path) as (_, it):
        assert (await it.turn("@sim recall", sessionId=kept.session_id, isReply=True)).answer == "1. my name is Bob"
        [listed] = await it.result("chat/listAllSessions")
        assert [record["answer"] for record in listed["chatRecords"]] == ["echo: my name is Bob", "1. my name is Bob"]
        await it.result("chat/clearAllSessions")
    async with talking(tmp_path) as (_, it):
        assert await it.result("chat/listAllSessions") == []


async def test_a_turn_in_progress_is_kept_when_the_process_ends(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        await it.result("chat/ask", ask("@sim say part\n@sim hang"))
        await it.until("chat/answer")
    async with talking(tmp_path) as (_, it):
        [listed] = await it.result("chat/listAllSessions")
        assert listed["chatRecords"][0]["answer"] == "part"


async def test_a_session_deleted_in_a_turn_stays_deleted(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        await it.result("chat/ask", ask("@sim say part\n@sim hang", requestId="r1", sessionId="mine"))
        await it.until("chat/answer")
        assert await it.result("chat/deleteSessionById", {"sessionId": "mine"}) == {"success": True}
        await it.result("chat/stop", {"requestId": "r1", "sessionId": "mine"})
        await it.until("chat/finish")
    async with talking(tmp_path) as (_, it):
        assert await it.result("chat/listAllSessions") == []


async def test_one_turn_of_a_session_is_deleted(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        turn = await it.turn("one", requestId="r1")
        await it.turn("two", sessionId=turn.session_id, requestId="r2")
        assert await it.result("chat/deleteChatById", {"requestId": "r1"}) == {"success": True}
        assert await it.result("chat/deleteChatById", {"requestId": "r1"}) == {"success": False}
    async with talking(tmp_path) as (_, it):
        [listed] = await it.result("chat/listAllSessions")
        assert [record["question"] for record in listed["chatRecords"]] == ["two"]


async def test_a_question_is_answered_again_under_its_own_id(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        first = await it.turn("one", requestId="r1")
        await it.turn("two", sessionId=first.session_id, requestId="r2")
        again = await it.result("chat/replyRequest", {"requestId": "r1", "sessionId": first.session_id})
        assert (again["isSuccess"], again["requestId"]) == (True, "r1")
        turn = Turn(again, await it.until("chat/finish"))
        assert (turn.answer, turn.session_id, turn.finish["requestId"]) == ("echo: one", first.session_id, "r1")
        [listed] = await it.result("chat/listAllSessions")
        assert [record["answer"] for record in listed["chatRecords"]] == ["echo: one", "echo: two"]


async def test_what_was_never_asked_is_not_answered_again(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        session_id = (await it.turn("one")).session_id
        for wrong in ({"requestId": "r1", "sessionId": "none"}, {"requestId": "none", "sessionId": session_id}):
            assert (await it.request("chat/replyRequest", wrong))["error"]["code"] == -32603


async def test_nothing_is_answered_again_while_it_is_being_answered(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        await it.result("chat/ask", ask("@sim say x\n@sim hang", requestId="r1", sessionId="mine"))
        await it.until("chat/answer")
        refused = await it.result("chat/replyRequest", {"requestId": "r1", "sessionId": "mine"})
        assert (refused["isSuccess"], refused["errorMessage"]) == (False, "requestId is in use")
