"""The models that a logged-in simulated account sees. Keys are ones seen in live lists; limits are rounded. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any


def model(
    key: str, name: str, *, default: bool = False, reasoning: bool = False, vision: bool = False
) -> dict[str, Any]:
    """One item of the lists."""
    return {
        "key": key,
        "displayName": name,
        "format": "openai",
        "source": "system",
        "isReasoning": reasoning,
        "isVl": vision,
        "isDefault": default,
        "maxInputTokens": 180_000,
        "url": "",
        "apiKey": "",
        "model": "",
    }


MODELS = (
    model("org_auto", "Auto", default=True),
    model("dashscope_qwen3_coder", "Qwen3-Coder"),
    model("dashscope_qmodel", "Qwen3.6-Plus", vision=True),
    model("dashscope_qwen_max_latest", "Qwen-Max"),
    model("dashscope_qwen_plus_20250428_thinking", "Qwen-Plus-Thinking", reasoning=True),
    model("kmodel", "Kimi-K2.5"),
)


def lists(*, logged_in: bool) -> dict[str, Any]:
    """The result of config/queryModels: an empty object when nobody is logged in."""
    return as_lists(MODELS) if logged_in else {}


def as_lists(models: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """These models as the result of config/queryModels."""
    everything = [dict(model) for model in models]
    return {"assistant": everything, "chat": everything, "developer": everything, "inline": [], "quest": []}
