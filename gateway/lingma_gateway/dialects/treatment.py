"""What becomes of the fields of a request: data that a dialect's parser runs by and that docs/api.md shows."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any


class Treatment(StrEnum):
    """What a field of a request gets."""

    HONOURED = "honoured"
    EMULATED = "emulated"
    """Lingma knows nothing of the kind; the gateway does it."""
    IGNORED = "ignored"
    """It would change the answer and does not: named in the header `x-lingma-ignored`."""
    SILENT = "ignored silently"
    """No answer would look different with it."""
    REFUSED = "refused"


Fields = Mapping[str, Treatment]
"""By name; a field of an object is `OBJECT.FIELD`, one of the objects in a list `LIST[].FIELD`."""


def ignored(request: Mapping[str, Any], fields: Fields) -> Iterator[str]:
    """Names of the fields of `request` that are IGNORED or unknown, and ask for something. Objects are looked into."""
    objects = {name.partition(".")[0] for name in fields if "." in name and "[]" not in name}
    for name, value in request.items():
        if value is None or value is False or value in ([], {}):
            continue  # it asks for nothing
        if name in objects and name not in fields and isinstance(value, Mapping):
            inner = {f"{name}.{key}": each for key, each in value.items()}
            yield from ignored(inner, fields)
        elif fields.get(name, Treatment.IGNORED) is Treatment.IGNORED:
            yield name
