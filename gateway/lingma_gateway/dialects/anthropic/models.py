"""The list of models in Anthropic's form, by pages."""

from collections.abc import Mapping, Sequence
from typing import Any

from lingma_gateway.dialects.anthropic.reading import refusal

_DEFAULT_LIMIT = 20
_MAX_LIMIT = 1000
_UNKNOWN_TIME = "1970-01-01T00:00:00Z"
"""As Anthropic does where the release date is unknown."""


def model(id: str, display_name: str | None) -> dict[str, Any]:
    """One model. What Lingma does not tell (windows, capabilities) is left out."""
    return {
        "type": "model",
        "id": id,
        "display_name": display_name or id,
        "created_at": _UNKNOWN_TIME,
        "lifecycle": "active",
    }


def page(models: Sequence[Mapping[str, Any]], query: Mapping[str, str]) -> dict[str, Any]:
    """The part of `models` that `limit`, `after_id` and `before_id` ask for.

    Raises:
        InvalidRequest: one of them is malformed, or names no model.
    """
    limit = _limit(query.get("limit"))
    if "before_id" in query:
        before = models[: _position(models, query["before_id"], "before_id")]
        shown, more = before[-limit:], len(before) > limit
    else:
        after = models[_position(models, query["after_id"], "after_id") + 1 :] if "after_id" in query else models
        shown, more = after[:limit], len(after) > limit
    ends = {"first_id": shown[0]["id"], "last_id": shown[-1]["id"]} if shown else {"first_id": None, "last_id": None}
    return {"data": list(shown), "has_more": more, **ends}


def _limit(given: str | None) -> int:
    if given is None:
        return _DEFAULT_LIMIT
    if not given.isascii() or not given.isdigit() or not 1 <= int(given[:5]) <= _MAX_LIMIT:
        raise refusal("limit", f"Input should be an integer from 1 to {_MAX_LIMIT}")
    return int(given)


def _position(models: Sequence[Mapping[str, Any]], id: str, where: str) -> int:
    for position, each in enumerate(models):
        if each["id"] == id:
            return position
    raise refusal(where, "no such model")
