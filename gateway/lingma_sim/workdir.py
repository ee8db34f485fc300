"""Lingma's work directory: machine id, login, `.info`. The only module that touches these files."""

import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from lingma_sim import login
from lingma_sim.login import Account, LoginUnreadable

FILE_MODE = 0o600
FOLDER_MODE = 0o700


@dataclass(frozen=True, slots=True)
class WorkDir:
    """A work directory, which need not exist yet."""

    path: Path

    @property
    def cache(self) -> Path:
        """The folder that holds the login."""
        return self.path / "cache"

    @property
    def user(self) -> Path:
        """The encrypted login."""
        return self.cache / "user"

    @property
    def log(self) -> Path:
        """Lingma's log."""
        return self.path / "logs" / "lingma.log"

    @property
    def database(self) -> Path:
        """Where the sessions are."""
        return self.cache / "db" / "local.db"

    def image(self, uri: str) -> bytes | None:
        """What is in a file of this directory, named by its path or its `file:` address; None: it is no such file."""
        path = Path(unquote(uri.removeprefix("file://"))).resolve()
        return path.read_bytes() if path.is_relative_to(self.path.resolve()) and path.is_file() else None

    def machine_id(self) -> bytes:
        """The content of `cache/id`, made at random when missing or empty."""
        path = self.cache / "id"
        content = path.read_bytes().strip() if path.exists() else b""
        if not content:
            content = str(uuid.uuid4()).encode()
            self.write_cache({"id": content})
        return content

    def account(self) -> Account | None:
        """Who is logged in, or None; changes nothing.

        Raises:
            LoginUnreadable: `cache/user` does not decrypt with `cache/id`.
        """
        if not self.user.exists():
            return None
        path = self.cache / "id"
        if not path.exists():
            raise LoginUnreadable("there is no cache/id")
        return login.decrypt(path.read_bytes(), self.user.read_bytes())

    def forget_user(self) -> None:
        """Delete `cache/user`, as Lingma does with one that it cannot read."""
        self.user.unlink(missing_ok=True)

    def write_cache(self, files: Mapping[str, bytes]) -> None:
        """Write files of the cache folder, readable by the owner only."""
        self.cache.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        self.cache.chmod(FOLDER_MODE)
        for name, content in files.items():
            _write(self.cache / name, content)

    def write_info(self, lines: list[str]) -> None:
        """Write `.info`; a reader sees the old content or the new one, never a part."""
        _write(self.path / ".info", ("\n".join(lines) + "\n").encode())

    def write_info_json(self, port: int, pipe: str) -> None:
        """Write `.info.json`, the form of the IDE."""
        content = {"websocketPort": port, "pid": os.getpid(), "ipcServerPath": pipe}
        _write(self.path / ".info.json", json.dumps(content).encode())

    def write_control_port(self, port: int) -> None:
        """Tell where the control port is: no file of Lingma's."""
        _write(self.path / ".sim-control", f"{port}\n".encode())

    def count_start(self) -> int:
        """How often this was called here, this time included: no file of Lingma's either."""
        path = self.path / ".sim-starts"
        starts = int(path.read_text()) + 1 if path.exists() else 1
        _write(path, str(starts).encode())
        return starts


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    temporary.replace(path)
