"""Rows of what users of the earlier gateway rely on about Lingma's agent and its tools (parity page, sections 3 to 5).

The cases of its tests, form by form, are in tests/lingma_gateway/agent; here a program is asked, as they would.
"""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.programs import Program

KEY = "sk-parity"
LISTS = '@sim tool list_dir {"path": "src"}\n@sim fault tool-named\n@sim say Two files.'


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A gateway of one's own, with a simulated account: agent mode is on there without a word."""
    work = tmp_path_factory.mktemp("agent")
    environment = {
        "API_KEYS": KEY,
        "AGENT_TOOLS": "list_dir=show",
        "LINGMA_WORK_DIR": str(work),
        "DRAIN_PROPAGATION_SECONDS": "0",
    }
    with Program("lingma_gateway", ["serve", "--simulate", "1", "--port", "0"], environment) as program:
        (port,) = program.wait_for("listening")["ports"]
        program.wait_for("lingma_state", new_state="ready")
        headers = {"authorization": f"Bearer {KEY}"}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=20) as made:
            yield made


def asked(model: str, prompt: str = LISTS) -> dict[str, Any]:
    return {"model": model, "max_tokens": 999, "messages": [{"role": "user", "content": prompt}]}


@pytest.mark.parametrize("model", ["lingma-agent", "agent", "Agent"])
def test_the_agent_is_asked_by_either_of_its_names_in_any_case(client: httpx.Client, model: str) -> None:
    body = client.post("/v1/chat/completions", json=asked(model)).json()
    (choice,) = body["choices"]
    (call,) = choice["message"]["tool_calls"]
    assert body["model"] == "org_auto"
    assert choice["message"]["content"] == "Two files."
    assert (call["type"], call["function"]["name"]) == ("function", "list_dir")
    assert json.loads(call["function"]["arguments"]) == {"path": "src"}


def test_a_message_has_text_the_call_and_its_result(client: httpx.Client) -> None:
    body = client.post("/v1/messages", json=asked("lingma-agent")).json()
    text, call, result = body["content"]
    assert text == {"type": "text", "text": "Two files."}
    assert (call["type"], call["name"], call["input"]) == ("tool_use", "list_dir", {"path": "src"})
    assert (result["type"], result["tool_use_id"]) == ("tool_result", call["id"])
    assert body["stop_reason"] == "end_turn"


def test_in_chat_mode_no_tool_is_shown(client: httpx.Client) -> None:
    body = client.post("/v1/chat/completions", json=asked("org_auto")).json()
    assert "tool_calls" not in body["choices"][0]["message"]
