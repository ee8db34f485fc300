"""Credentials from settings: each a value, or a file that is read anew each time, as a mounted Secret changes."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lingma_contract.jsonlog import event
from lingma_gateway.login.credentials import Credentials

log = logging.getLogger(__name__)

_MAX_BYTES = 64 * 1024


class ConfiguredCredentials:
    """A `CredentialSource`. A file that is there and not empty wins over the value."""

    def __init__(self, values: Credentials, files: Mapping[str, Path]) -> None:
        """`files`: by the name of the field of `Credentials`."""
        self._values = values
        self._files = dict(files)

    def __call__(self) -> Credentials:
        found: dict[str, Any] = {name: text for name, path in self._files.items() if (text := _read(name, path))}
        return replace(self._values, **found)


def _read(name: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES).decode("utf-8").strip("\r\n")
    except FileNotFoundError:
        return ""  # an optional Secret that is not there yet
    except (OSError, UnicodeDecodeError) as error:
        event(log, "login_credential_unreadable", level=logging.WARNING, field=name, error=type(error).__name__)
        return ""
