"""Names that clients insist on and no Lingma has: `gpt-4o`, `claude-sonnet-4-5`. Pure.

An alias stands for a model's key or display name, or for the default model. A name with `*` at its end stands for every
name that begins like it; the longest of those that fit is taken, after the names without `*`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

DEFAULT_ALIASES = ",".join(
    (
        "gpt-5.5,gpt-5,gpt-5-mini,gpt-4.1,gpt-4o,gpt-4o-mini,o3,o4-mini",
        "claude-opus-4-5,claude-sonnet-4-5,claude-haiku-4-5",
        "claude-opus-*,claude-sonnet-*,claude-haiku-*,claude-fable-*,claude-mythos-*",
    )
)
"""What clients of OpenAI and Anthropic ask for when they are not told otherwise; Claude's names end in dates, too."""
_ANY = "*"


@dataclass(frozen=True, slots=True)
class Aliases:
    """From the name in lower case to the model that is meant; None is the default model."""

    exact: Mapping[str, str | None]
    prefixes: Mapping[str, str | None]
    """Without their `*`."""
    listed: tuple[str, ...]
    """The names that `/v1/models` may list, as they were written."""

    @classmethod
    def parse(cls, text: str) -> "Aliases":
        """Aliases of the setting MODEL_ALIASES.

        Raises:
            ValueError: the message names the position of the entry.
        """
        named: dict[str, tuple[str, str | None]] = {}
        for position, (name, model) in enumerate(_entries(text), start=1):
            folded = name.casefold()
            if not folded or folded == _ANY or _ANY in folded[:-1]:
                raise ValueError(f"entry {position} needs a name, in which '*' may stand at the end only")
            if folded in named:
                raise ValueError(f"entry {position} repeats the name of another one")
            named[folded] = (name, model or None)
        exact = {folded: model for folded, (_, model) in named.items() if not folded.endswith(_ANY)}
        prefixes = {folded[:-1]: model for folded, (_, model) in named.items() if folded.endswith(_ANY)}
        return cls(exact, prefixes, tuple(named[folded][0] for folded in exact))

    def __contains__(self, name: str) -> bool:
        folded = name.casefold()
        return folded in self.exact or any(folded.startswith(prefix) for prefix in self.prefixes)

    def target(self, name: str) -> str | None:
        """The model that `name` stands for; None is the default model. Only for a name that is an alias."""
        folded = name.casefold()
        if folded in self.exact:
            return self.exact[folded]
        return self.prefixes[max((prefix for prefix in self.prefixes if folded.startswith(prefix)), key=len)]


NO_ALIASES = Aliases({}, {}, ())


def _entries(text: str) -> list[tuple[str, str]]:
    if text.lstrip().startswith("{"):
        return _json_entries(text)
    items = [item.strip() for item in text.split(",")]
    return [_entry(item) for item in items if item]


def _entry(item: str) -> tuple[str, str]:
    name, _, model = item.partition("=")
    return name.strip(), model.strip()


def _json_entries(text: str) -> list[tuple[str, str]]:
    try:
        given = json.loads(text)
    except ValueError as error:
        raise ValueError(f"it begins like a JSON object and is none: {error}") from error
    entries = []
    for position, (name, model) in enumerate(given.items(), start=1):
        if model is not None and not isinstance(model, str):
            raise ValueError(f"entry {position} needs a model's name, or null for the default model")
        entries.append((name.strip(), (model or "").strip()))
    return entries
