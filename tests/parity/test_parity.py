"""Rows of what users of the earlier gateway rely on, as far as the first form makes them real.

docs/parity.md lists the departures; each test here is one row that is kept.
"""

import pytest

from lingma_contract.derivation import derive
from lingma_contract.names import Credential
from tests.parity.conftest import MASTER, Recorded

CHAT = "/v1/chat/completions"


def chat(recorded: Recorded, **fields: object) -> dict[str, object]:
    body: dict[str, object] = {"messages": [{"role": "user", "content": "Hello"}], **fields}
    answer: dict[str, object] = recorded.client.post(CHAT, json=body).json()
    return answer


def test_routes_healthz_is_always_200_with_the_same_fields(recorded: Recorded) -> None:
    response = recorded.client.get("/healthz", headers={"Authorization": ""})
    assert response.status_code == 200
    body = response.json()
    assert {"ok", "time", "pool_size", "pool_ready", "instances"} <= body.keys()
    assert {"name", "state", "in_flight"} <= body["instances"][0].keys()


def test_routes_models_list_the_upstream_key_and_display_name(recorded: Recorded) -> None:
    data = recorded.client.get("/v1/models").json()["data"]
    assert {"id": "org_auto", "name": "Auto"}.items() <= data[0].items()


def test_routes_chat_has_the_same_fields_and_the_resolved_key_as_model(recorded: Recorded) -> None:
    body = chat(recorded, model="auto")
    assert {"id", "object", "created", "model", "choices", "usage"} <= body.keys()
    assert body["model"] == "org_auto"


def test_routes_sse_headers(recorded: Recorded) -> None:
    body = {"messages": [{"role": "user", "content": "Hello"}], "stream": True}
    headers = recorded.client.post(CHAT, json=body).headers
    assert headers["cache-control"] == "no-cache, no-transform"
    assert headers["x-accel-buffering"] == "no"
    assert headers["connection"] == "keep-alive"


def test_settings_default_model_is_org_auto(recorded: Recorded) -> None:
    assert chat(recorded)["model"] == "org_auto"


def test_requests_take_all_six_roles(recorded: Recorded) -> None:
    roles = ("system", "developer", "user", "assistant", "tool", "function")
    messages = [{"role": role, "content": f"from {role}"} for role in roles]
    text = str(chat(recorded, messages=messages)["choices"])
    assert all(f"from {role}" in text for role in roles)


def test_requests_keep_the_tool_calls_and_ids_of_the_history(recorded: Recorded) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "read", "arguments": '{"p": 1}'}}
    messages = [
        {"role": "user", "content": "Read it"},
        {"role": "assistant", "content": "Now", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "the file"},
    ]
    text = str(chat(recorded, messages=messages)["choices"])
    assert "Now" in text
    assert '<tool_call id="call_1">' in text
    assert '<tool_response id="call_1" name="read">' in text
    assert "the file" in text


def test_upstream_initialize_names_the_client_and_sends_no_initialized(recorded: Recorded) -> None:
    params = recorded.sent("initialize")[0]["params"]
    assert params["clientInfo"] == {"name": "lingma-openai-gateway", "version": "0.1.0"}
    assert params["capabilities"] == {}
    assert params["workspaceFolders"] == []
    assert params["rootUri"] is None
    assert recorded.sent("initialized") == []


def test_upstream_process_id_is_null_when_attached(recorded: Recorded) -> None:
    assert recorded.sent("initialize")[0]["params"]["processId"] is None


def test_upstream_status_and_models_are_asked_with_an_empty_object(recorded: Recorded) -> None:
    assert recorded.sent("auth/status")[0]["params"] == {}
    assert recorded.sent("config/queryModels")[0]["params"] == {}


def test_upstream_chat_ask_is_a_notification_with_the_same_fields(recorded: Recorded) -> None:
    chat(recorded)
    message = recorded.sent("chat/ask")[-1]
    params = message["params"]
    assert message.get("id") is None
    assert {"mode": "chat", "sessionType": "chat", "chatTask": "FREE_INPUT", "stream": True, "source": 1}.items() <= (
        params.items()
    )
    assert params["taskDefinitionType"] == "system"
    assert params["extra"]["modelConfig"] == {"key": "org_auto"}
    assert params["extra"]["workspacePath"]
    assert params["chatContext"]["localeLang"] == params["chatContext"]["preferredLanguage"] == "zh-CN"
    assert {params[name] for name in ("content", "text", "message", "questionText")} == {"Hello"}
    assert params["chatContext"]["text"] == "Hello"


def test_upstream_automatic_memory_is_off(recorded: Recorded) -> None:
    chat(recorded)
    assert recorded.sent("chat/ask")[-1]["params"]["pluginPayloadConfig"]["isEnableAutoMemory"] is False


def test_request_id_is_the_callers_or_twelve_hex_digits_and_is_logged(recorded: Recorded) -> None:
    response = recorded.client.get("/v1/models", headers={"x-request-id": "mine"})
    assert response.headers["x-request-id"] == "mine"
    assert recorded.program.wait_for("access", request_id="mine")["path"] == "/v1/models"


def test_metrics_keep_their_names(recorded: Recorded) -> None:
    text = recorded.admin.get("/metrics").text
    assert 'gateway_pool_instance_in_flight{name="alice"}' in text
    assert 'gateway_pool_instance_ready{name="alice"}' in text


def test_upstream_a_session_that_nobody_continues_is_deleted(recorded: Recorded) -> None:
    chat(recorded, messages=[{"role": "user", "content": "@sim fail 500 no"}])
    chat(recorded)  # its answer came after what was sent before it
    assert recorded.sent("chat/deleteSessionById")[0]["params"]["sessionId"]


def test_session_reuse_sends_the_last_user_text_as_a_reply_in_the_session(recorded: Recorded) -> None:
    messages = [{"role": "user", "content": "parity, first"}]
    answer = recorded.client.post(CHAT, json={"messages": messages}).json()["choices"][0]["message"]
    messages += [{"role": "assistant", "content": answer["content"]}, {"role": "user", "content": "parity, second"}]
    response = recorded.client.post(CHAT, json={"messages": messages})
    assert recorded.program.wait_for("access", request_id=response.headers["x-request-id"])["session"] == "hit"
    first, second = (
        next(ask["params"] for ask in recorded.sent("chat/ask") if ask["params"]["questionText"] == text)
        for text in ("parity, first", "parity, second")
    )
    assert (first["isReply"], first["sessionId"]) == (False, "")
    assert second["isReply"] is True
    assert second["sessionId"]


def test_usage_is_lingmas_own_count_where_its_log_has_one(recorded: Recorded) -> None:
    response = recorded.client.post(CHAT, json={"messages": [{"role": "user", "content": "Hello"}]})
    line = recorded.program.wait_for("access", request_id=response.headers["x-request-id"])
    assert line["tokens_estimated"] is False
    assert line["output_tokens"] == response.json()["usage"]["completion_tokens"]


def test_routes_internal_keep_their_paths_and_fields(recorded: Recorded) -> None:
    token = derive(MASTER, Credential.ADMIN_TOKEN, "uid")
    headers = {"Authorization": f"Bearer {token}"}
    fields = {
        ("GET", "/internal/stats"): {"ok", "stats", "concurrency", "pool", "session_cache"},
        ("POST", "/internal/auto-login/start"): {"ok", "state", "instance", "auth"},
        ("GET", "/internal/auto-login/status"): {"ok", "instances"},
        ("POST", "/internal/session/export"): {"instance", "account", "raw_bytes", "bundle_b64"},
        ("GET", "/internal/models/raw"): {"instance", "raw", "extracted_name_map", "exposed_keys"},
    }
    for (method, path), kept in fields.items():
        assert kept <= recorded.admin.request(method, path, headers=headers).json().keys(), path
    figures = recorded.admin.get("/internal/stats", headers=headers).json()["concurrency"]
    assert figures.keys() == {"in_flight", "queued", "accepted_total", "rejected_total", "max_in_flight"}


MESSAGES = "/v1/messages"
ASKED = {"model": "claude-x", "max_tokens": 64, "messages": [{"role": "user", "content": "Hello"}]}


def test_routes_messages_have_the_same_fields(recorded: Recorded) -> None:
    body = recorded.client.post(MESSAGES, json=ASKED).json()
    assert {"id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"} == body.keys()
    assert body["stop_sequence"] is None
    assert {"input_tokens", "output_tokens"} <= body["usage"].keys()


def test_routes_a_message_streams_from_message_start_to_message_stop_without_ping(recorded: Recorded) -> None:
    lines = recorded.client.post(MESSAGES, json=ASKED | {"stream": True}).text.splitlines()
    names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    assert (names[0], names[-2:]) == ("message_start", ["message_delta", "message_stop"])
    assert "ping" not in names


def test_routes_messages_and_models_take_the_key_as_x_api_key_and_refuse_in_anthropics_form(recorded: Recorded) -> None:
    key = recorded.client.headers["authorization"].removeprefix("Bearer ")
    for path in (MESSAGES, f"{MESSAGES}/count_tokens"):
        taken = recorded.client.post(path, json=ASKED, headers={"authorization": "", "x-api-key": key})
        refused = recorded.client.post(path, json=ASKED, headers={"authorization": "Bearer wrong"})
        assert taken.status_code == 200
        assert refused.status_code == 401
        assert refused.json()["type"] == "error"
        assert refused.json()["error"]["type"] == "authentication_error"
    models = recorded.client.get("/v1/models", headers={"authorization": "", "x-api-key": key})
    assert models.status_code == 200


def test_routes_count_tokens_answers_input_tokens(recorded: Recorded) -> None:
    assert recorded.client.post(f"{MESSAGES}/count_tokens", json=ASKED).json().keys() == {"input_tokens"}


def test_requests_messages_keep_calls_results_and_ids(recorded: Recorded) -> None:
    messages = [
        {"role": "user", "content": "Read it"},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Now"},
                {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {"p": 1}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "the file"}]},
    ]
    recorded.client.post(MESSAGES, json=ASKED | {"system": "Be kind.", "messages": messages})
    prompt = recorded.sent("chat/ask")[-1]["params"]["questionText"]
    assert all(part in prompt for part in ("Be kind.", "Now", "toolu_1", "read", "the file"))


def test_errors_of_messages_are_in_anthropics_form(recorded: Recorded) -> None:
    invalid = recorded.client.post(MESSAGES, json={"max_tokens": 1, "messages": []})
    failed = recorded.client.post(
        MESSAGES, json=ASKED | {"messages": [{"role": "user", "content": "@sim fail 500 broken"}]}
    )
    assert (invalid.status_code, invalid.json()["error"]["type"]) == (400, "invalid_request_error")
    assert (failed.status_code, failed.json()["error"]["type"]) == (502, "api_error")


@pytest.mark.parametrize("path", ["/v1/responses", "/responses"])
def test_routes_responses_wrap_the_same_chat(recorded: Recorded, path: str) -> None:
    body = recorded.client.post(path, json={"model": "auto", "input": "Hello"}).json()
    assert body["model"] == "org_auto"
    assert body["output"][0]["content"][0]["text"] == "echo: Hello"
    assert recorded.sent("chat/ask")[-1]["params"]["questionText"] == "Hello"


def test_routes_responses_take_bearer_keys_and_refuse_in_openais_form(recorded: Recorded) -> None:
    refused = recorded.client.post("/v1/responses", json={"input": "Hello"}, headers={"authorization": "Bearer wrong"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")


def test_agent_mode_is_off_in_a_cluster_and_says_how_it_is_switched_on(recorded: Recorded) -> None:
    refused = recorded.client.post(CHAT, json={"model": "lingma-agent", "messages": ASKED["messages"]})
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "model_not_found")
    assert "AGENT_MODE" in refused.json()["error"]["message"]
