"""The models that an account's Lingma offers, and which one a client's name means. Pure."""

from dataclasses import dataclass
from typing import Any

_CHAT_FIRST = ("chat", "assistant", "developer", "inline", "quest")
"""Groups of `config/queryModels`, the one that our turns use first."""
_ALIASES = {"auto": "org_auto"}
"""Both were seen for the same entry (protocol page, Model item)."""


@dataclass(frozen=True, slots=True)
class Model:
    key: str
    display_name: str | None
    is_default: bool


def parse(result: Any) -> tuple[Model, ...]:
    """The models in the result of `config/queryModels`, once each; `()` for the `{}` of a Lingma that is logged out."""
    if not isinstance(result, dict):
        return ()
    found: dict[str, Model] = {}
    for group in _CHAT_FIRST:
        items = result.get(group)
        for item in items if isinstance(items, list) else ():
            key = item.get("key") if isinstance(item, dict) else None
            if isinstance(key, str) and key and key not in found:
                name = item.get("displayName")
                found[key] = Model(key, name if isinstance(name, str) and name else None, item.get("isDefault") is True)
    return tuple(found.values())


def resolve(requested: str | None, models: tuple[Model, ...], default: str) -> str | None:
    """The key that `requested` means: a key or display name in any case; None when it means none of them.

    Without a request, and for the default's own name, it is `default`.
    """
    if not requested or requested == default:
        return default
    wanted = requested.casefold()
    for model in models:
        if model.key.casefold() == wanted or (model.display_name or "").casefold() == wanted:
            return model.key
    alias = _ALIASES.get(wanted)
    return alias if alias in {model.key for model in models} else None
