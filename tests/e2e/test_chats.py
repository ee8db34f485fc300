"""Chats through the routing Service with the official openai SDK."""

import json

import httpx
import openai
import pytest

from demo.kube import Object
from demo.release import ROOT
from lingma_contract.names import Container, Port, children_name
from tests.e2e.support import ACCOUNT_PODS, Lingma, assistant, tool_event, user

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180, func_only=True)]

SAY = "@sim say One answer in six pieces\n@sim chunks 6"


def test_an_answer_comes_from_outside_the_cluster(lingma: Lingma, pool: tuple[str, ...]) -> None:
    reply = lingma.chat(SAY)
    assert reply.text == "One answer in six pieces"
    assert reply.account in pool
    assert reply.headers["x-lingma-affinity"] and reply.headers["x-request-id"]


@pytest.mark.usefixtures("pool")
def test_a_streamed_answer_comes_in_pieces(lingma: Lingma) -> None:
    pieces = [piece for piece in lingma.stream(SAY) if piece]
    assert "".join(pieces) == "One answer in six pieces"
    assert len(pieces) == 6


@pytest.mark.usefixtures("pool")
def test_models_are_listed(lingma: Lingma) -> None:
    with lingma.client() as client:
        assert [model.id for model in client.models.list()]


def test_answers_come_inside_the_cluster(lingma: Lingma, pool: tuple[str, ...], client_image: str) -> None:
    script = (ROOT / "tests" / "e2e" / "client.py").read_text()
    lingma.kube.run("delete", "job", "client", "--ignore-not-found")
    lingma.kube.apply(job(client_image, script, lingma.kube.namespace))
    lingma.kube.watch("jobs", "client", lambda _, seen: bool(seen["status"].get("completionTime")), seconds=90)
    lingma.evidence.collect(lingma.kube, "-l", "job-name=client")
    seen = json.loads(lingma.kube.run("logs", "job/client"))
    assert seen["account"] in pool
    assert seen["whole"] == seen["streamed"]
    assert "from inside" in seen["whole"]


def test_ten_turns_of_one_conversation_stay_on_one_account(lingma: Lingma, pool: tuple[str, ...]) -> None:
    conversation = [user("Let us count to ten.")]
    served = []
    for number in range(1, 11):
        reply = lingma.chat(conversation)
        served.append(reply.account)
        conversation += [assistant(reply.text), user(f"Now say {number}.\n@sim say {number}")]
    assert len(served) == 10
    assert len(set(served)) == 1 and served[0] in pool


def test_twenty_conversations_spread_over_both_accounts(lingma: Lingma, pool: tuple[str, ...]) -> None:
    served = [lingma.chat(f"Conversation number {number} begins.").account for number in range(20)]
    assert set(served) == set(pool)


def test_logs_hold_the_tool_event(lingma: Lingma, pool: tuple[str, ...]) -> None:
    reply = lingma.chat('Read it.\n@sim tool read_file {"path": "README.md"}\n@sim say done')
    assert reply.account in pool
    line = lingma.kube.follow(
        *("-l", f"{ACCOUNT_PODS},lingma.dev/account={reply.account}", "-c", Container.GATEWAY, "--tail=-1"),
        accept=lambda line: tool_event(line) is not None,
    )
    event = tool_event(line)
    assert event is not None
    assert event["account"] == reply.account
    assert event["request_id"] == reply.headers["x-request-id"]


def test_a_gateway_called_without_the_router_token_answers_401(lingma: Lingma, pool: tuple[str, ...]) -> None:
    body = {"model": "auto", "messages": [user("hello")]}
    with lingma.kube.forward(f"pod/{children_name(pool[0])}-0", Port.CLIENT) as url, httpx.Client(base_url=url) as http:
        for headers in ({}, {"Authorization": f"Bearer {lingma.api_key}"}, {"x-api-key": lingma.api_key}):
            answer = http.post("/v1/chat/completions", json=body, headers=headers)
            assert answer.status_code == 401, headers.keys()
            assert answer.json()["error"]["message"]


@pytest.mark.usefixtures("pool")
def test_a_wrong_api_key_is_refused_by_the_router(lingma: Lingma) -> None:
    with lingma.client(api_key="sk-lingma-wrong") as client, pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "hello"}])


@pytest.mark.usefixtures("pool")
def test_an_empty_message_list_gets_an_error_of_openais_form(lingma: Lingma) -> None:
    with lingma.client() as client, pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="auto", messages=[])
    assert refused.value.type == "invalid_request_error"
    assert refused.value.param == "messages"


@pytest.mark.usefixtures("pool")
def test_malformed_json_gets_an_error_of_openais_form(lingma: Lingma) -> None:
    headers = {"Authorization": f"Bearer {lingma.api_key}", "Content-Type": "application/json"}
    with httpx.Client(base_url=lingma.url, headers=headers) as http:
        answer = http.post("/v1/chat/completions", content=b'{"model": ')
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.usefixtures("pool")
def test_an_unknown_model_is_served_by_the_default_one_and_named(lingma: Lingma) -> None:
    with lingma.client() as client:
        raw = client.chat.completions.with_raw_response.create(
            model="no-such-model", messages=[{"role": "user", "content": "@sim model"}]
        )
    assert raw.headers["x-lingma-model"] not in ("", "no-such-model")
    assert raw.parse().choices[0].message.content == raw.headers["x-lingma-model"]


def job(image: str, script: str, namespace: str) -> Object:
    """A Job that runs the script against the Service, with the API key from the operator's Secret."""
    key = {"name": "lingma-api-keys", "key": "default"}
    container = {
        "name": "client",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", script],
        "env": [
            {"name": "OPENAI_BASE_URL", "value": f"http://lingma.{namespace}.svc/v1"},
            {"name": "OPENAI_API_KEY", "valueFrom": {"secretKeyRef": key}},
        ],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "client"},
        "spec": {"backoffLimit": 0, "activeDeadlineSeconds": 80, "template": {"spec": pod}},
    }
