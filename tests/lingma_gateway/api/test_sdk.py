"""The official openai SDK against the gateway."""

import openai
import pytest

from tests.lingma_gateway.api.conftest import Gateway


def sdk(gateway: Gateway, key: str | None = None) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key or gateway.key, max_retries=0)


def test_the_sdk_chats(gateway: Gateway) -> None:
    with sdk(gateway) as client:
        answer = client.chat.completions.create(model="org_auto", messages=[{"role": "user", "content": "Hello"}])
    assert answer.choices[0].message.content == "echo: Hello"
    assert answer.usage is not None
    assert answer.usage.total_tokens > 0


def test_the_sdk_streams(gateway: Gateway) -> None:
    with sdk(gateway) as client:
        stream = client.chat.completions.create(
            model="org_auto",
            messages=[{"role": "user", "content": "@sim say 你好 🌍\n@sim chunks 4"}],
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "你好 🌍"
    assert chunks[-1].usage is not None


def test_the_sdk_lists_models(gateway: Gateway) -> None:
    with sdk(gateway) as client:
        assert "org_auto" in {model.id for model in client.models.list()}


def test_the_sdk_raises_its_own_errors(gateway: Gateway) -> None:
    with sdk(gateway) as client, pytest.raises(openai.BadRequestError, match="at least one message") as caught:
        client.chat.completions.create(model="org_auto", messages=[])
    assert caught.value.param == "messages"
    with sdk(gateway, "sk-wrong") as client, pytest.raises(openai.AuthenticationError):
        client.models.list()
