"""What Lingma is told about its tools: every approval and every result has a source, and nothing else is sent."""

from collections import Counter
from typing import Any

import pytest

from lingma_gateway.toolpolicy import RUN_BY_CLIENT
from lingma_sim.pushes import RUN_INSIDE
from tests.lingma_gateway.agent.support import Json, chat, driven, frames
from tests.matrix.bench import Bench

pytestmark = pytest.mark.asyncio(loop_scope="package")

ALLOWED = {"list_dir": "show", "grep_code": "approve", "search_web": "show"}
"""As the fixture's AGENT_TOOLS."""
TOOLS = [*sorted(ALLOWED), "delete_file", "Skill", *sorted(RUN_BY_CLIENT), "heard_of_nowhere"]
FAULTS = [
    ("tool-approval",),
    ("tool-approval", "tool-named"),
    ("tool-approval", "tool-named", "tool-case", "tool-unfinished"),
    ("tool-named",),
    ("tool-async",),
    ("tool-async", "tool-approval", "tool-named"),
]
UNRELATED = {"chat/ask", "chat/stop", "chat/deleteSessionById", "ping", "auth/status", "config/queryModels"}


def pushed(all_frames: list[Json], method: str) -> list[Json]:
    """Messages of Lingma's with that method."""
    messages = [frame["message"] for frame in all_frames if frame["direction"] == "out"]
    return [message for message in messages if message.get("method") == method]


def check_sources(all_frames: list[Json], named: bool) -> Counter[str]:
    """Find the source of all that was sent about tools; what was sent, by kind."""
    sent = [frame["message"] for frame in all_frames if frame["direction"] == "in"]
    invoked = {message["id"]: message["params"] for message in pushed(all_frames, "tool/invoke")}
    pending = {
        sync["params"]["toolCallId"]: sync["params"]
        for sync in pushed(all_frames, "tool/call/sync")
        if sync["params"]["toolCallStatus"].lower() == "pending"
    }
    found: Counter[str] = Counter()
    for message in sent:
        params: Any = message.get("params")
        match message.get("method"):
            case "tool/call/approve":
                asked = pending.pop(params["toolCallId"])  # one approval for each that is waited for
                may = named and asked["name"] in ALLOWED
                both = {name: asked[name] for name in ("sessionId", "requestId", "toolCallId")}
                assert params == {"type": "tool_call", **both, "approval": may}
                found["approved" if may else "denied"] += 1
            case "tool/invokeResult":
                check_denial(params)
                assert params["toolCallId"] in {each["toolCallId"] for each in invoked.values() if each["async"]}
                found["denied later"] += 1
            case None if message["id"] in invoked and not invoked[message["id"]]["async"]:
                check_denial(message["result"])
                assert message["result"]["toolCallId"] == invoked.pop(message["id"])["toolCallId"]
                found["refused"] += 1
            case None:
                assert message["result"] == {}, "an acknowledgement says nothing"
            case method:
                assert method in UNRELATED
    assert not pending
    assert all(params["async"] for params in invoked.values())
    assert found["denied later"] == len(invoked)
    return found


def check_denial(told: Json) -> None:
    """It says that nothing was done, and why."""
    assert told["success"] is False
    assert told["result"] == {}
    assert "denied by the gateway's tool policy" in told["errorMessage"]


@pytest.mark.parametrize("faults", FAULTS, ids="+".join)
async def test_every_approval_and_result_that_is_sent_to_lingma_has_a_source(
    gateway: Bench, faults: tuple[str, ...]
) -> None:
    named = "tool-named" in faults
    for tool in TOOLS:
        await gateway.forget_frames()
        prompt = "\n".join([f"@sim tool {tool} {{}}", *(f"@sim fault {fault}" for fault in faults), "@sim say done"])
        seen = await chat(gateway, prompt, stream=True)
        found = check_sources(await frames(gateway), named)
        asked, inside = "tool-approval" in faults, tool in RUN_INSIDE
        assert found["approved"] == (asked and named and tool in ALLOWED)
        assert found["denied"] == (asked and not found["approved"])
        assert found["refused"] + found["denied later"] == (not asked and not inside)
        shown = named and ALLOWED.get(tool) == "show"
        assert [name for _, name, _ in seen.calls] == ([tool] if shown else [])
        assert (seen.text, seen.finish) == ("done", "stop")


async def test_in_chat_mode_nothing_is_approved(gateway: Bench) -> None:
    await gateway.forget_frames()
    await chat(gateway, "@sim tool list_dir\n@sim fault tool-approval\n@sim fault tool-named", model="org_auto")
    (approval,) = await gateway.received("tool/call/approve")
    assert approval["message"]["params"]["approval"] is False


async def test_a_call_that_is_pending_twice_is_answered_once_by_the_name_that_was_known(gateway: Bench) -> None:
    async with driven(gateway, "chat", stream=True) as turn:
        waiting: dict[str, Any] = {"toolCallId": "c1", "toolCallStatus": "PENDING"}
        await turn.push("tool/call/sync", **waiting)
        await turn.push("tool/call/sync", **waiting, name="list_dir")
        await turn.push("tool/call/sync", toolCallId="c2", toolCallStatus="INIT", toolName="list_dir")
        await turn.push("tool/call/sync", toolCallId="c2", toolCallStatus="pending")
        await turn.finish()
    approvals = [frame["message"]["params"] for frame in await gateway.received("tool/call/approve")]
    assert [(each["toolCallId"], each["approval"]) for each in approvals] == [("c1", False), ("c2", True)]


async def test_an_approval_is_sent_as_soon_as_lingma_waits_for_it(gateway: Bench) -> None:
    async with driven(gateway, "messages", stream=True) as turn:
        await turn.push("tool/call/sync", toolCallId="c1", name="list_dir", toolCallStatus="PENDING")
        assert await gateway.received("tool/call/approve")
        assert not turn.answering.done()
        await turn.finish()


def lines(caplog: pytest.LogCaptureFixture, request_id: str) -> list[Json]:
    """Lines about tools of one request."""
    fields = [record.__dict__.get("fields", {}) for record in caplog.records if record.getMessage() == "tool"]
    return [each for each in fields if each["request_id"] == request_id]


async def test_a_call_is_told_from_ask_to_result_in_the_log_and_counted(
    gateway: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    seen = await chat(gateway, '@sim tool list_dir {"path": "src"}\n@sim fault tool-named', stream=True)
    call, result = lines(caplog, seen.ids)
    common = {"name": "list_dir", "mode": "agent", "rule": "show", "outcome": "ok", "account": "alice"}
    assert (call["phase"], result["phase"]) == ("call", "result")
    assert call["tool_call_id"] == result["tool_call_id"] == seen.calls[0][0]
    assert common.items() <= call.items()
    assert common.items() <= result.items()
    assert call["arguments_chars"] == len('{"path":"src"}')
    assert result["result_chars"] == len('[{"simulated":true}]')
    assert result["duration_ms"] >= 0
    assert counted(gateway, "list_dir", "ok") >= 1


async def test_a_denied_tool_that_lingma_runs_all_the_same_is_a_warning_and_counted(
    gateway: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    before = counted(gateway, "delete_file", "unasked")
    seen = await chat(gateway, "@sim tool delete_file {}\n@sim fault tool-named")
    told = lines(caplog, seen.ids)
    assert [(each["phase"], each["outcome"]) for each in told] == [
        ("call", "refused"),
        ("result", "ok"),
        ("unasked", "unasked"),
    ]
    assert counted(gateway, "delete_file", "unasked") == before + 1
    warned = [record for record in caplog.records if record.levelname == "WARNING" and record.getMessage() == "tool"]
    assert [record.__dict__["fields"]["name"] for record in warned] == ["delete_file"]


async def test_a_turn_that_breaks_off_still_tells_what_lingmas_tools_did(
    gateway: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    prompt = "@sim tool list_dir {}\n@sim fault tool-named\n@sim fail 500 broken"
    async with gateway.client() as client:
        body = {"model": "agent", "messages": [{"role": "user", "content": prompt}]}
        response = await client.post("/v1/chat/completions", json=body)
    assert response.status_code == 502
    assert [each["phase"] for each in lines(caplog, response.headers["x-request-id"])] == ["call", "result"]


def counted(gateway: Bench, tool: str, outcome: str) -> float:
    found = gateway.services.metrics.registry.get_sample_value(
        "gateway_tool_calls_total", {"tool": tool, "outcome": outcome}
    )
    return found or 0
