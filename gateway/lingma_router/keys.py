"""The mounted Secrets: clients' API keys and the master secrets, read again whenever the kubelet swaps them."""

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

from lingma_contract import jsonlog
from lingma_contract.apikeys import ApiKeys
from lingma_contract.derivation import masters
from lingma_router.credentials import Credentials

_log = logging.getLogger(__name__)

_DATA = "..data"
"""The link that the kubelet swaps, so that all files of a mounted Secret change at once."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Both Secrets as of one moment."""

    clients: ApiKeys
    credentials: Credentials


class KeyRing:
    """Holds the keys last read. What cannot be read leaves the earlier keys in force."""

    def __init__(self, api_keys_dir: Path, master_dir: Path) -> None:
        self._api_keys_dir = api_keys_dir
        self._master_dir = master_dir
        self._stamps: object = None
        self._problem: str | None = None
        self.current: Keys | None = None
        """None until both Secrets could be read once."""

    def refresh(self) -> bool:
        """Read the Secrets if they changed; whether new keys are in force. A failure is logged once, not raised."""
        try:
            stamps = (_stamp(self._api_keys_dir), _stamp(self._master_dir))
            if stamps == self._stamps:
                return False
            clients = ApiKeys.from_mapping(_files(self._api_keys_dir))
            # Later an emptied Secret is a person who revokes every key; at first it is one that is still being made.
            if not clients and self.current is None:
                raise ValueError(f"the API key Secret holds no key: {self._api_keys_dir}")
            self.current = Keys(clients, Credentials(masters(_files(self._master_dir))))
        except (OSError, ValueError) as error:
            self._report(f"{type(error).__name__}: {error}")
            return False
        self._stamps, self._problem = stamps, None
        jsonlog.event(_log, "keys-loaded", api_keys=[key_id for key_id, _ in clients.entries])
        return True

    async def watch(self, period_s: float) -> None:
        """Refresh every `period_s` seconds until cancelled."""
        while True:
            await asyncio.sleep(period_s)
            self.refresh()

    def _report(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            kept = "earlier keys stay in force" if self.current else "no request can be accepted"
            jsonlog.event(_log, "keys-unreadable", level=logging.ERROR, problem=problem, effect=kept)


def _content(folder: Path) -> Path:
    """Where the files are: behind the kubelet's link, resolved once so that one read never mixes two versions."""
    data = folder / _DATA
    return data.resolve(strict=True) if data.is_symlink() else folder


def _stamp(folder: Path) -> tuple[object, ...]:
    content = _content(folder)
    stats = [(path.name, path.stat()) for path in sorted(content.iterdir()) if not path.name.startswith(".")]
    return (str(content), *((name, stat.st_mtime_ns, stat.st_size, stat.st_ino) for name, stat in stats))


def _files(folder: Path) -> dict[str, bytes]:
    content = _content(folder)
    return {
        path.name: path.read_bytes() for path in content.iterdir() if not path.name.startswith(".") if path.is_file()
    }
