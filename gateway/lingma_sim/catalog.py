"""The models that a logged-in simulated account sees. Keys are ones seen in live lists; limits are rounded. Pure."""

from typing import Any


def _model(
    key: str, name: str, *, default: bool = False, reasoning: bool = False, vision: bool = False
) -> dict[str, Any]:
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
    _model("org_auto", "Auto", default=True),
    _model("dashscope_qwen3_coder", "Qwen3-Coder"),
    _model("dashscope_qmodel", "Qwen3.6-Plus", vision=True),
    _model("dashscope_qwen_max_latest", "Qwen-Max"),
    _model("dashscope_qwen_plus_20250428_thinking", "Qwen-Plus-Thinking", reasoning=True),
    _model("kmodel", "Kimi-K2.5"),
)


def lists(*, logged_in: bool) -> dict[str, Any]:
    """The result of config/queryModels: an empty object when nobody is logged in."""
    if not logged_in:
        return {}
    everything = [dict(model) for model in MODELS]
    return {"assistant": everything, "chat": everything, "developer": everything, "inline": [], "quest": []}
