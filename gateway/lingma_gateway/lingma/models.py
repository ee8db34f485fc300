"""The models that an account's Lingma offers, and which one a client's name means. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lingma_gateway.aliases import NO_ALIASES, Aliases

_CHAT_FIRST = ("chat", "assistant", "developer", "inline", "quest")
"""Groups of `config/queryModels`, the one that our turns use first."""
_SAME = {"auto": "org_auto", "org_auto": "auto"}
"""Both were seen for the same entry (protocol page, Model item)."""


@dataclass(frozen=True, slots=True)
class Model:
    key: str
    display_name: str | None
    is_default: bool
    sees_images: bool = False


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
                name = name if isinstance(name, str) and name else None
                found[key] = Model(key, name, item.get("isDefault") is True, item.get("isVl") is True)
    return tuple(found.values())


def says_logged_out(result: Any) -> bool:
    """Whether it is the `{}` with which a Lingma that is logged out answers; an account without models has groups."""
    return isinstance(result, dict) and not result


def union(lists: Iterable[tuple[Model, ...]]) -> tuple[Model, ...]:
    """The models of several accounts, once each by their key, as the first account has them."""
    found: dict[str, Model] = {}
    for models in lists:
        for model in models:
            found.setdefault(model.key, model)
    return tuple(found.values())


@dataclass(frozen=True, slots=True)
class Names:
    """What a client's name for a model means on an account."""

    default: str
    """Served when a request names no model. A key; it need not be in the list that Lingma gives."""
    aliases: Aliases = NO_ALIASES

    def key(self, requested: str | None, models: tuple[Model, ...]) -> str | None:
        """The key that `requested` means: a key or display name in any case, or an alias; None when it means none.

        Without a request, and for the default's own name, it is the default, whether or not it is in the list.
        """
        if not requested or requested.casefold() == self.default.casefold():
            return _own(self.default, models) or self.default
        own = _own(requested, models)
        if own is not None or requested not in self.aliases:
            return own
        target = self.aliases.target(requested)
        return self.key(None, models) if target is None else _own(target, models)

    def offered(self, requested: str | None, models: tuple[Model, ...]) -> bool:
        """Whether an account with these models is known to have what `requested` means."""
        key = self.key(requested, models)
        return any(model.key == key for model in models)

    def known(self, requested: str | None, models: tuple[Model, ...]) -> bool:
        """Whether `requested` means anything: a model of the list, an alias of one, or the default."""
        return self.key(requested, models) is not None

    def display_name(self, alias: str, models: tuple[Model, ...]) -> str | None:
        """The display name of the model that `alias` stands for, as far as it is known."""
        key = self.key(alias, models)
        return next((model.display_name for model in models if model.key == key), None)


def _own(name: str, models: tuple[Model, ...]) -> str | None:
    """The key of the model that has this key or display name, in any case."""
    for wanted in (name.casefold(), _SAME.get(name.casefold())):
        for model in models:
            if wanted is not None and wanted in (model.key.casefold(), (model.display_name or "").casefold()):
                return model.key
    return None
