"""Rows of what users of the earlier gateway rely on, as far as the first form makes them real.

docs/parity.md lists the departures; each test here is one row that is kept.
"""

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
    assert "[tool_call call_1] read" in text
    assert "[tool_result call_1]" in text
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
