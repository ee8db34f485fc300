"""Session reuse, through a simulated Lingma that tells what each of its sessions was asked."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lingma_gateway.conversation import Turn
from lingma_gateway.record import TurnRecord
from tests.lingma_gateway.sessions.conftest import PATIENT
from tests.lingma_gateway.sessions.support_cache import turn
from tests.lingma_gateway.sessions.support_reuse import RECALL, Chat, outcomes, upstream
from tests.matrix.bench import Bench, bench, eventually_empty

pytestmark = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def counted(gateway: Bench, **expected: int) -> AsyncIterator[None]:
    """So many hits and misses by reason happen in the block, and no others."""
    before = await outcomes(gateway)
    yield
    after = await outcomes(gateway)
    assert {name: more for name in after if (more := after[name] - before.get(name, 0))} == expected


async def only_kept_sessions_are_left(gateway: Bench) -> None:
    async def left() -> str:
        return ", ".join(await upstream(gateway) - gateway.kept)

    await eventually_empty(left)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_conversation_goes_on_in_its_session_and_only_what_is_new_is_sent(gateway: Bench, stream: bool) -> None:
    await gateway.forget_frames()
    chat = Chat(gateway, fields={"stream": stream})
    async with counted(gateway, first=1, hit=2):
        await chat.ask(f"first {stream}")
        await chat.ask("second")
        answered = await chat.ask(RECALL)
    assert answered.text == f"1. first {stream}\n2. second"
    asks = [frame["message"]["params"] for frame in await gateway.received("chat/ask")]
    assert [ask["questionText"] for ask in asks] == [f"first {stream}", "second", RECALL]
    assert [ask["isReply"] for ask in asks] == [False, True, True]
    assert asks[1]["sessionId"] == asks[2]["sessionId"] != ""


async def test_a_system_prompt_is_sent_once_and_another_one_starts_anew(gateway: Bench) -> None:
    system = {"role": "system", "content": "You are brief"}
    chat = Chat(gateway, [system])
    await chat.ask("with a system prompt")
    async with counted(gateway, hit=1):
        assert (await chat.ask(RECALL)).text == "1. You are brief /  / with a system prompt"
    async with counted(gateway, unknown=1):
        other = Chat(gateway, [{"role": "system", "content": "You name chats"}, *chat.messages[1:]])
        assert (await other.ask(RECALL)).text == "(nothing)"


async def test_subagents_and_titles_that_run_beside_a_conversation_do_not_disturb_it(gateway: Bench) -> None:
    chat = Chat(gateway)
    await chat.ask("the task")
    helpers = [Chat(gateway, [{"role": "system", "content": f"You are helper {number}"}]) for number in range(3)]
    title = Chat(gateway, [{"role": "system", "content": "You name chats"}])
    await asyncio.gather(*(each.ask("the task") for each in (*helpers, title)))
    recalled = await asyncio.gather(*(each.ask(RECALL) for each in (*helpers, chat)))
    assert [each.text for each in recalled[:-1]] == [f"1. You are helper {number} /  / the task" for number in range(3)]
    assert recalled[-1].text == "1. the task"


async def test_two_turns_that_go_on_at_once_have_a_session_each(gateway: Bench) -> None:
    chat = Chat(gateway)
    await chat.ask("branching")
    left, right = chat.branch(1), chat.branch(1)
    async with counted(gateway, hit=1, busy=1):
        slow = asyncio.create_task(left.ask("@sim say left\n@sim chunks 4\n@sim delay 150"))
        await gateway.received("chat/ask", after=str(await last_frame(gateway)))
        await right.ask("right")
        await slow
    texts = [(await each.ask(RECALL)).text for each in (left, right)]
    assert texts[0] == "1. branching / 2. @sim say left / @sim chunks 4 / @sim delay 150".replace(" / 2.", "\n2.")
    assert "branching" in texts[1]
    assert "@sim say left" not in texts[1]


async def last_frame(gateway: Bench) -> int:
    frames = (await gateway.control("GET", "/frames"))["frames"]
    return int(frames[-1]["number"]) if frames else 0


async def test_an_older_branch_that_is_taken_up_again_starts_anew(gateway: Bench) -> None:
    chat = Chat(gateway)
    await chat.ask("older")
    await chat.ask("newer")
    resumed = chat.branch(1)
    async with counted(gateway, unknown=1, hit=1):
        assert "newer" not in (await resumed.ask("again")).text
        assert (await chat.ask(RECALL)).text == "1. older\n2. newer"


async def test_a_changed_history_starts_anew(gateway: Bench) -> None:
    chat = Chat(gateway)
    await chat.ask("as it was")
    chat.messages[0] = {"role": "user", "content": "as it was, edited"}
    async with counted(gateway, unknown=1):
        assert (await chat.ask(RECALL)).text == "(nothing)"


async def test_another_model_starts_anew(gateway: Bench) -> None:
    chat = Chat(gateway)
    await chat.ask("by one model")
    async with counted(gateway, model=1):
        assert (await chat.ask("@sim model", model="dashscope_qwen_max_latest")).text == "dashscope_qwen_max_latest"


async def test_another_key_never_goes_on_in_it(gateway: Bench) -> None:
    chat = Chat(gateway)
    await chat.ask("of one key")
    record = await ran(gateway, turn("of one key", chat.messages[1]["content"], RECALL), "another-team")
    assert record.session == "miss:unknown"


async def ran(gateway: Bench, asked: Turn, key: str) -> TurnRecord:
    record = TurnRecord("req-1", key)
    async with aclosing(gateway.services.turns.run(asked, record)) as produced:
        async for _ in produced:
            pass
    return record


async def test_a_conversation_moves_between_the_three_apis(gateway: Bench) -> None:
    chat = Chat(gateway, [{"role": "system", "content": "You are brief"}])
    await chat.ask("by chat completions")
    system, *history = chat.messages
    async with counted(gateway, hit=2), gateway.client() as client:
        history.append({"role": "user", "content": [{"type": "text", "text": "by messages"}]})
        header = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.328.b3f;"}
        blocks = [header, {"type": "text", "text": system["content"], "cache_control": {"type": "ephemeral"}}]
        message = await client.post(
            "/v1/messages", json={"model": "org_auto", "max_tokens": 500, "system": blocks, "messages": history}
        )
        assert message.status_code == 200, message.text
        history.append({"role": "assistant", "content": message.json()["content"][0]["text"]})
        history.append({"role": "user", "content": RECALL})
        response = await client.post("/v1/responses", json={"instructions": "You are brief", "input": history})
        assert response.status_code == 200, response.text
    recalled = response.json()["output"][-1]["content"][0]["text"]
    assert recalled == "1. You are brief /  / by chat completions\n2. by messages"


LOOP = """Read it for me
@sim call Read {"path": "a.txt", "lines": 3}
@sim then
@sim say it says {{result}}"""
READ = {
    "type": "function",
    "function": {
        "name": "Read",
        "description": "Reads a file",
        "parameters": {
            "type": "object",
            "properties": {"path": {"type": "string"}, "lines": {"type": "integer"}},
            "required": ["path"],
        },
    },
}


async def test_it_goes_on_through_a_loop_of_tools_however_the_arguments_are_written_again(gateway: Bench) -> None:
    chat = Chat(gateway, fields={"tools": [READ]})
    async with counted(gateway, first=1, hit=2):
        called = (await chat.ask(LOOP)).message
        [call] = called["tool_calls"]
        arguments = json.loads(call["function"]["arguments"])
        again = json.dumps(dict(reversed(arguments.items())), indent=2)
        chat.messages[-1] = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{**call, "function": {"name": "Read", "arguments": again}}],
        }
        chat.messages.append({"role": "tool", "tool_call_id": call["id"], "content": "so it is"})
        assert (await chat.go_on()).text == "it says so it is"
        write = {"type": "function", "function": {"name": "Write", "description": "Writes a file"}}
        added = await chat.ask("what next?", tools=[write, READ])
    assert "Write" in added.text, "the tool that came later is told with the next message"
    assert "Reads a file" not in added.text


async def test_a_cancelled_stream_is_not_gone_on_with_and_its_session_is_deleted(gateway: Bench) -> None:
    chat = Chat(gateway)
    await chat.ask("before it is left")
    body = {
        "messages": [*chat.messages, {"role": "user", "content": "@sim say a b c\n@sim chunks 3\n@sim hang"}],
        "stream": True,
    }
    async with gateway.client() as client, client.stream("POST", "/v1/chat/completions", json=body) as response:
        async for line in response.aiter_lines():
            if '"content":"' in line:
                break
    await only_kept_sessions_are_left(gateway)
    async with counted(gateway, unknown=1):
        await chat.ask("after it was left")


@pytest.mark.parametrize("limit", [{"stop": ("two",)}, {"max_tokens": 2}])
async def test_an_answer_that_was_cut_is_not_gone_on_with(gateway: Bench, limit: dict[str, Any]) -> None:
    kept = gateway.kept
    await ran(gateway, turn(f"@sim say one two three four five\n@sim chunks 9\n@sim model {limit}", **limit), "team")
    assert gateway.kept == kept
    await only_kept_sessions_are_left(gateway)


async def test_a_turn_that_fails_gives_its_session_up_and_the_next_starts_anew(gateway: Bench) -> None:
    chat = Chat(gateway)
    await chat.ask("before it fails")
    failing = [*chat.messages, {"role": "user", "content": "@sim fail 500 no"}]
    async with gateway.client() as client:
        assert (await client.post("/v1/chat/completions", json={"messages": failing})).status_code == 502
    await only_kept_sessions_are_left(gateway)
    async with counted(gateway, unknown=1):
        answered = await chat.ask("after it failed")
    assert "before it fails" in answered.text


async def test_a_session_that_lingma_renames_goes_on_under_its_new_id(gateway: Bench) -> None:
    chat = Chat(gateway)
    await chat.ask("@sim say one\n@sim chunks 2\n@sim fault session-change=finish")
    async with counted(gateway, hit=1):
        assert (await chat.ask(RECALL)).text.startswith("1. @sim say one")


async def test_metrics_stats_and_the_access_log_tell_of_it(gateway: Bench) -> None:
    chat = Chat(gateway)
    await chat.ask("to be counted")
    await chat.ask("twice")
    async with gateway.client() as client:
        metrics = (await client.get("/metrics")).text
        stats = (await client.get("/internal/stats")).json()["session_cache"]
    assert 'gateway_session_reuse_total{outcome="hit"}' in metrics
    assert 'gateway_session_reuse_total{outcome="busy"}' in metrics
    assert 'gateway_sessions_dropped_total{reason="evicted"} 0.0' in metrics
    assert f"gateway_sessions_kept {len(gateway.kept)}.0" in metrics
    assert stats["hits"] >= 1
    assert stats["entries"] == len(gateway.kept)


async def test_a_restart_of_lingma_ends_what_was_kept(tmp_path: Path) -> None:
    async with bench(tmp_path, **PATIENT) as gateway:
        chat = Chat(gateway)
        await chat.ask("before the restart")
        await gateway.control("POST", "/actions/disconnect", {})
        await gateway.until_ready(False)
        await gateway.until_ready()
        async with counted(gateway, restarted=1):
            assert "before the restart" in (await chat.ask("after the restart")).text
        await only_kept_sessions_are_left(gateway)


async def test_another_login_ends_what_was_kept(tmp_path: Path) -> None:
    async with bench(tmp_path, **PATIENT) as gateway:
        chat = Chat(gateway)
        await chat.ask("as alice")
        await gateway.control("POST", "/actions/login", {"uid": "bob"})
        await gateway.instance.look_again(10)
        async with counted(gateway, restarted=1):
            assert (await chat.ask("@sim whoami")).text == "bob"


async def test_evicted_and_expired_sessions_are_deleted_upstream(tmp_path: Path) -> None:
    async with bench(tmp_path, session_cache_max_entries=1, session_cache_ttl_sec=0.3, **PATIENT) as gateway:
        first, second = Chat(gateway), Chat(gateway)
        await first.ask("first")
        await second.ask("second")
        await only_kept_sessions_are_left(gateway)
        assert len(await upstream(gateway)) == 1
        await asyncio.sleep(0.3)  # the time that it is kept
        async with counted(gateway, unknown=2):
            await first.ask("evicted")
            await second.ask("expired")


@pytest.mark.parametrize("settings", [{"session_reuse_enabled": False}, {"session_cache_max_entries": 0}])
async def test_switched_off_each_turn_carries_its_history_and_nothing_is_kept(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    async with bench(tmp_path, **PATIENT, **settings) as gateway:
        chat = Chat(gateway)
        await chat.ask("one")
        assert (await chat.ask(RECALL)).text == "(nothing)"
        async with gateway.client() as client:
            assert (await client.get("/internal/stats")).json()["session_cache"] is None
        await only_kept_sessions_are_left(gateway)
        assert gateway.kept == set()


async def test_when_the_gateway_ends_the_sessions_that_it_kept_are_deleted(tmp_path: Path) -> None:
    async with bench(tmp_path, **PATIENT) as gateway:
        await Chat(gateway).ask("to be forgotten")
        assert len(await upstream(gateway)) == 1
        await gateway.services.turns.settle()
        assert await upstream(gateway) == set()
