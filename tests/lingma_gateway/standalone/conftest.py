"""`lingma-gateway serve` with simulated Lingmas as its LINGMA_BIN, run as a user does."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.programs import Program

VARIANT = Path(__file__).resolve().parents[2] / "support" / "lingma_variant.py"
KEY = "sk-hidden-key"

Start = Callable[..., "Serving"]


@dataclass(frozen=True)
class Serving:
    program: Program
    url: str

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=30)

    def healthz(self) -> Any:
        return httpx.get(f"{self.url}/healthz").json()

    def message_of(self, name: str) -> str:
        (message,) = [each["message"] for each in self.healthz()["instances"] if each["name"] == name]
        return str(message)


@pytest.fixture(scope="session")
def bundle_of() -> Callable[[str], str]:
    def made(uid: str) -> str:
        with Program("lingma_sim", ["bundle", "--uid", uid]) as program:
            assert program.wait() == 0
            return "".join(program.lines).strip()

    return made


def settings(work_dir: Path, variants: Mapping[str, Any] | None = None, **more: str) -> dict[str, str]:
    """An environment for `serve`."""
    return {
        "API_KEYS": KEY,
        "PORT": "0",
        "LINGMA_BIN": json.dumps([sys.executable, str(VARIANT)]),
        "LINGMA_WORK_DIR": str(work_dir),
        "LINGMA_PING_INTERVAL": "0.5",
        "LINGMA_VARIANTS": json.dumps(variants or {}),
        "DRAIN_PROPAGATION_SECONDS": "0",
        "LOG_LEVEL": "debug",
        **more,
    }


def serving(program: Program) -> Serving:
    return Serving(program, f"http://127.0.0.1:{program.wait_for('listening')['ports'][0]}")
