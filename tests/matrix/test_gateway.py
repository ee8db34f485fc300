"""What one cell cannot show: slow clients, a Lingma that is mute or will not end, other clients of the same Lingma."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import httpx

from lingma_gateway.api.app import client_app
from tests.matrix.bench import KEY, PATIENCE_S, Bench, Weight, bench, eventually_empty

CHAT = "/v1/chat/completions"


def body(prompt: str, stream: bool = False) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": prompt}], "stream": stream}


async def asked(gateway: Bench, prompt: str) -> Any:
    async with gateway.client() as client:
        return (await client.post(CHAT, json=body(prompt))).json()


async def test_pushes_are_acknowledged_however_slowly_a_client_reads(tmp_path: Path) -> None:
    async with bench(tmp_path, idle_timeout=600) as gateway:
        may_read, blocked = asyncio.Event(), asyncio.Event()
        sent: list[bytes] = []

        async def receive() -> dict[str, Any]:
            if not sent:
                sent.append(b"")
                request = json.dumps(body("@sim say abcdefgh\n@sim chunks 400", stream=True)).encode()
                return {"type": "http.request", "body": request, "more_body": False}
            await asyncio.get_running_loop().create_future()
            raise AssertionError

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                blocked.set()
                await may_read.wait()
                sent.append(message["body"])

        scope = {
            "type": "http",
            "method": "POST",
            "path": CHAT,
            "raw_path": CHAT.encode(),
            "query_string": b"",
            "headers": [(b"authorization", f"Bearer {KEY}".encode())],
        }
        app = client_app(gateway.services, with_admin=False)
        answering = asyncio.ensure_future(app(scope, receive, send))
        await blocked.wait()
        # Lingma sends one push at a time: that its turn ends means that every one was acknowledged.
        await eventually_empty(lambda: turns_at(gateway))
        assert gateway.pool.in_flight == 1
        may_read.set()
        await answering
        assert sent[-2].endswith(b"data: [DONE]\n\n")
        assert "timeout reached" not in log_of(gateway)


async def turns_at(gateway: Bench) -> str:
    state = await gateway.control("GET", "/state")
    return f"turns: {state['turns']}" if state["turns"] else ""


def log_of(gateway: Bench) -> str:
    return (gateway.work_dir / "logs" / "lingma.log").read_text()


async def test_a_lingma_that_answers_nothing_is_started_anew(tmp_path: Path) -> None:
    async with bench(tmp_path, ping_interval_s=0.2) as gateway:
        before = (await gateway.control("GET", "/state"))["pid"]
        await gateway.switch("mute=any")
        await gateway.until_ready(False)
        await gateway.until_ready()
        assert (await gateway.control("GET", "/state"))["pid"] != before
        assert (await asked(gateway, "back"))["choices"][0]["message"]["content"] == "echo: back"


async def test_a_lingma_that_ignores_sigterm_is_killed_and_turns_of_both_forms_end_with_the_gateway(
    tmp_path: Path,
) -> None:
    before = Weight.now()
    async with bench(tmp_path, term_wait_s=0.5, first_event_timeout=600, idle_timeout=600) as gateway:
        pid = (await gateway.control("GET", "/state"))["pid"]
        await gateway.switch("ignore-sigterm")
        async with gateway.client() as client:
            turns = [
                asyncio.create_task(client.post(CHAT, json=body("@sim say x\n@sim hang", stream)))
                for stream in (False, True)
            ]
            await eventually_empty(lambda: until_in_flight(gateway, 2))
            ending = asyncio.create_task(gateway.end())
            ended = await asyncio.gather(*turns, return_exceptions=True)
            await ending
        plain, stream = ended
        assert isinstance(plain, httpx.Response)
        assert plain.status_code == 503
        assert plain.json()["error"]["code"] == "no_ready_account"
        assert isinstance(stream, httpx.RemoteProtocolError)
    assert pid not in pids()
    await eventually_empty(lambda: excess(before))


def pids() -> set[int]:
    return {int(entry) for entry in os.listdir("/proc") if entry.isdigit()}


async def until_in_flight(gateway: Bench, turns: int) -> str:
    return "" if gateway.pool.in_flight == turns else "too few turns"


async def excess(limit: Weight) -> str:
    return Weight.now().excess(limit)


async def test_a_turn_that_is_refused_for_want_of_a_login_makes_the_gateway_look_at_it_at_once(tmp_path: Path) -> None:
    async with bench(tmp_path, ping_interval_s=600) as gateway:
        await gateway.forget_frames()
        assert (await asked(gateway, "@sim fail 401 not login"))["error"]["code"] == "no_ready_account"
        assert await gateway.received("auth/status")


async def test_what_lingma_asks_of_another_client_is_left_to_it(tmp_path: Path) -> None:
    async with bench(tmp_path) as gateway:
        params = {"requestId": "of-another-client", "toolCallId": "c", "name": "read_file", "parameters": {}}
        await gateway.control("POST", "/actions/push", {"method": "tool/invoke", "params": params})
        await gateway.control("POST", "/actions/push", {"method": "lingma/unknown", "params": {}})
        # Pushes are answered in their order, so this turn's come after both.
        assert (await asked(gateway, "Hello"))["choices"][0]["message"]["content"] == "echo: Hello"
        assert (await gateway.control("GET", "/state"))["unanswered"] == 1


async def test_the_heartbeat_goes_on_while_nobody_asks(tmp_path: Path) -> None:
    async with bench(tmp_path, ping_interval_s=0.1) as gateway:
        for _ in range(3):
            await gateway.forget_frames()
            async with asyncio.timeout(PATIENCE_S):
                assert await gateway.received("ping")
