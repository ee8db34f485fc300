"""`POST /internal/smoke` against a simulated Lingma, as it should be and as it should not."""

import threading
import time
from pathlib import Path

import pytest

from lingma_sim import report as simulated
from tests.support.programs import PATIENCE_S
from tests.support.sidecar import Sidecar, sidecar, write_login

STEPS = [
    *("initialize", "auth", "models", "chat", "memory", "turns-1", "turns-2", "turns-4"),
    *("cancel", "refresh", "tool"),
]


def outcomes(body: dict[str, object]) -> dict[str, str]:
    steps = body["steps"]
    assert isinstance(steps, list)
    return {step["name"]: step["outcome"] for step in steps}


def findings(body: dict[str, object]) -> dict[str, str]:
    steps = body["steps"]
    assert isinstance(steps, list)
    return {step["name"]: step["finding"] for step in steps}


def smoke(running: Sidecar) -> dict[str, object]:
    response = running.admin.post("/internal/smoke")
    assert response.status_code == 200, response.text
    body: dict[str, object] = response.json()
    return body


def test_every_step_is_as_documented_and_gives_back_what_it_took(tmp_path: Path) -> None:
    write_login(tmp_path / "work")
    with sidecar(tmp_path) as running:
        body = smoke(running)
        stats = running.admin.get("/internal/stats").json()
        sessions = running.client.post(
            "/v1/chat/completions", json={"messages": [{"role": "user", "content": "@sim recall"}]}
        )
    assert outcomes(body) == dict.fromkeys(STEPS, "as documented"), findings(body)
    assert body["ok"] is True
    assert body["concurrentTurns"] == 4
    assert body["askReply"] == "immediate"
    assert "auth" not in body
    assert stats["concurrency"]["in_flight"] == 0
    assert stats["usage"]["keys"]["smoke"]["turns"] == 12
    assert sessions.status_code == 200


def test_a_second_check_at_the_same_time_is_a_conflict(tmp_path: Path) -> None:
    write_login(tmp_path / "work")
    with sidecar(tmp_path, ["--fault", "slow-first=3*1"]) as running:
        first = threading.Thread(target=smoke, args=(running,))
        first.start()
        deadline = time.monotonic() + PATIENCE_S
        while not running.running_turns():
            assert time.monotonic() < deadline
        assert running.admin.post("/internal/smoke").status_code == 409
        first.join()


@pytest.mark.parametrize(
    ("faults", "step", "outcome", "words"),
    [
        (["serial=queue"], "turns-4", "differs", "at most 1 of 4 ran at once"),
        (["stop=ignored"], "cancel", "differs", "no chat/finish came"),
        (["finish-code=110 daily usage limit"], "chat", "differs", "status 110: daily usage limit"),
        (["finish-code=110 daily usage limit"], "memory", "not tried", "the tiny chat did not succeed"),
        (["ask-reply=never"], "chat", "as documented", "the ask was never answered"),
        (["no-usage-log"], "chat", "differs", "its log has no token count"),
        (["unknown-push"], "chat", "differs", "undocumented pushes"),
        (["no-models"], "models", "differs", "no model is listed"),
    ],
)
def test_what_differs_is_said(tmp_path: Path, faults: list[str], step: str, outcome: str, words: str) -> None:
    write_login(tmp_path / "work")
    arguments = [word for fault in faults for word in ("--fault", fault)]
    # A Lingma that lists no model counts as logged out, whatever its status says.
    with sidecar(tmp_path, arguments, ready="no-models" not in faults) as running:
        body = smoke(running)
    assert (outcomes(body)[step], words in findings(body)[step]) == (outcome, True), findings(body)


def test_logged_out_what_can_be_tried_is(tmp_path: Path) -> None:
    with sidecar(tmp_path, ready=False) as running:
        body = smoke(running)
    assert outcomes(body)["initialize"] == "as documented"
    assert outcomes(body)["models"] == "as documented"
    assert outcomes(body)["refresh"] == "as documented"
    assert {name for name, outcome in outcomes(body).items() if outcome == "not tried"} == {
        *("chat", "memory", "turns-1", "turns-2", "turns-4", "cancel", "tool"),
    }
    assert body["auth"] == {"status": 1, "whitelist": 4}


def test_a_simulator_takes_the_report(tmp_path: Path) -> None:
    write_login(tmp_path / "work")
    with sidecar(tmp_path, ["--fault", "serial=queue", "--fault", "ask-reply=never"]) as running:
        text = running.admin.post("/internal/smoke").text
    read = simulated.parse(text)
    assert read.version == "2.11.1"
    assert read.models is not None
    assert {"serial", "ask-reply"} <= {fault.name for fault in read.faults}


def test_while_every_slot_is_taken_nobody_is_asked(tmp_path: Path) -> None:
    write_login(tmp_path / "work")
    body = {"messages": [{"role": "user", "content": "@sim say busy\n@sim hang"}], "stream": True}
    with sidecar(tmp_path, GATEWAY_MAX_IN_FLIGHT="1") as running:
        with running.client.stream("POST", "/v1/chat/completions", json=body) as answer:
            pieces = answer.iter_bytes()  # kept: the answer is given up with it
            assert next(pieces)
            checked = smoke(running)
        assert findings(checked)["chat"] == "no slot was free within 5 seconds"
    assert outcomes(checked)["chat"] == "not tried"
    assert outcomes(checked)["refresh"] == "as documented"


def test_how_well_the_model_calls_tools_is_tried_when_it_is_asked_for(tmp_path: Path) -> None:
    write_login(tmp_path / "work")
    with sidecar(tmp_path) as running:
        body = running.admin.post("/internal/smoke", params={"tools": "true", "model": "dashscope_qmodel"}).json()
        refused = running.admin.post("/internal/smoke", params={"tools": "maybe"})
    assert outcomes(body) == dict.fromkeys([*STEPS, "tools"], "as documented"), findings(body)
    whole = {"valid": 10, "repaired": 0, "askedAgain": 0, "lost": 0, "false": 0}
    assert body["toolCalls"] == {"model": "dashscope_qmodel", "coder": whole, "hermes": whole}
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "tools")
