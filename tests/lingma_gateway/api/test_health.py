"""Probes, health, models and metrics."""

import httpx

from tests.lingma_gateway.api.conftest import Gateway


def test_healthz_reports_the_pool(client: httpx.Client) -> None:
    body = client.get("/healthz").json()
    assert (body["ok"], body["pool_size"], body["pool_ready"]) == (True, 2, 2)
    assert {instance["name"]: instance["reason"] for instance in body["instances"]} == {
        "alice": "LoggedIn",
        "bob": "LoggedIn",
    }


def test_probes_answer_without_a_key(gateway: Gateway) -> None:
    for path in ("/livez", "/livez/lingma", "/readyz"):
        assert httpx.get(gateway.url + path).status_code == 200


def test_models_are_those_of_the_account(client: httpx.Client) -> None:
    body = client.get("/v1/models").json()
    assert body["object"] == "list"
    assert {"org_auto", "dashscope_qwen3_coder"} <= {model["id"] for model in body["data"]}


def test_metrics_keep_the_names_of_the_earlier_gateway(client: httpx.Client) -> None:
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'gateway_pool_instance_ready{name="alice"} 1.0' in response.text
    assert 'gateway_pool_instance_in_flight{name="bob"} 0.0' in response.text
