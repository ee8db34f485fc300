"""`GET /v1/models` and `/v1/models/{id}` in both forms."""

from typing import Any

import httpx
import pytest
from anthropic.types import ModelInfo
from openai.types import Model

from tests.lingma_gateway.api.conftest import ENVIRONMENT, Gateway, started
from tests.support.programs import Program

ANTHROPICS = {"anthropic-version": "2026-10-21"}


def listed(client: httpx.Client, **query: Any) -> Any:
    return client.get("/v1/models", headers=ANTHROPICS, params=query).json()


def test_the_list_is_openais_without_and_anthropics_with_its_version(client: httpx.Client) -> None:
    openais, anthropics = client.get("/v1/models").json(), listed(client)
    assert openais["object"] == "list"
    assert anthropics.keys() == {"data", "has_more", "first_id", "last_id"}
    assert [each["id"] for each in openais["data"]] == [each["id"] for each in anthropics["data"]]
    assert (anthropics["first_id"], anthropics["has_more"]) == (anthropics["data"][0]["id"], False)
    for each in openais["data"]:
        Model.model_validate(each, strict=True)
    for each in anthropics["data"]:
        ModelInfo.model_validate(each)


def test_the_whole_list_is_one_page_for_claude_code(client: httpx.Client) -> None:
    assert listed(client, limit=1000)["data"] == listed(client)["data"]


def test_pages_follow_each_other(client: httpx.Client) -> None:
    whole = [each["id"] for each in listed(client)["data"]]
    first = listed(client, limit=1)
    rest = listed(client, after_id=first["last_id"])
    assert first["has_more"]
    assert [each["id"] for each in first["data"] + rest["data"]] == whole


@pytest.mark.parametrize("name", ["org_auto", "Auto", "claude-sonnet-4-5", "claude-opus-4-1-20250805", "gpt-4o"])
def test_a_name_that_a_client_may_use_is_found(client: httpx.Client, name: str) -> None:
    openais = client.get(f"/v1/models/{name}").json()
    anthropics = client.get(f"/v1/models/{name}", headers=ANTHROPICS).json()
    assert (openais["object"], openais["id"]) == ("model", name)
    assert (anthropics["type"], anthropics["id"], anthropics["display_name"]) == ("model", name, "Auto")


def test_a_name_that_means_nothing_is_not_found_in_the_callers_form(client: httpx.Client) -> None:
    openais = client.get("/v1/models/gpt-9")
    anthropics = client.get("/v1/models/gpt/9", headers=ANTHROPICS)
    assert (openais.status_code, openais.json()["error"]["code"]) == (404, "model_not_found")
    assert (anthropics.status_code, anthropics.json()["error"]["type"]) == (404, "not_found_error")
    assert "'gpt/9'" in anthropics.json()["error"]["message"]


def test_a_page_that_does_not_exist_is_refused(client: httpx.Client) -> None:
    response = client.get("/v1/models", headers=ANTHROPICS, params={"after_id": "gpt-9"})
    assert response.status_code == 400
    assert response.json()["error"]["message"] == "after_id: no such model"


def test_models_need_a_key(gateway: Gateway) -> None:
    for path in ("/v1/models", "/v1/models/org_auto"):
        assert httpx.get(gateway.url + path).status_code == 401


def test_while_no_account_has_told_its_models_the_list_is_no_empty_one_but_tokens_are_counted() -> None:
    # A Lingma that nobody has logged in.
    environment = ENVIRONMENT | {"LINGMA_SIM_FAULTS": "status=1"}
    with Program("lingma_gateway", ["serve", "--simulate", "1", "--port", "0"], environment) as program:
        bare = started(program, 0)
        with bare.client() as client:
            for path in ("/v1/models", "/v1/models/org_auto"):
                refused = client.get(path)
                assert refused.status_code == 503
                assert refused.json()["error"]["code"] == "no_ready_account"
                assert int(refused.headers["retry-after"]) > 0
            assert client.get("/v1/models", headers=ANTHROPICS).status_code == 529
            body = {"messages": [{"role": "user", "content": "Hello"}]}
            assert client.post("/v1/messages/count_tokens", json=body).json()["input_tokens"] > 0
