"""A sidecar beside a simulated Lingma that records every frame, so that rows about the upstream can be checked."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from lingma_contract.derivation import credential_lines, derive
from lingma_contract.names import Credential
from tests.support.programs import Program

MASTER = b"p" * 32


@dataclass(frozen=True)
class Recorded:
    """A gateway, and what it sent to Lingma."""

    client: httpx.Client
    admin: httpx.Client
    program: Program
    record: Path

    def sent(self, method: str) -> list[dict[str, Any]]:
        """Messages with this method that Lingma received, in order."""
        frames = [json.loads(line) for line in self.record.read_text().splitlines()]
        messages = [frame["message"] for frame in frames if frame["direction"] == "in"]
        return [message for message in messages if message.get("method") == method]


@pytest.fixture(scope="package")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    base = tmp_path_factory.mktemp("parity")
    credentials, work, record = base / "credentials", base / "work", base / "frames.jsonl"
    credentials.mkdir()
    for credential in Credential:
        (credentials / credential.value).write_text(credential_lines([MASTER], credential, "uid"))
    environment = {
        "LINGMA_ACCOUNT": "alice",
        "LINGMA_ACCOUNT_UID": "uid",
        "LINGMA_CREDENTIALS_DIR": str(credentials),
        "LINGMA_WORK_DIR": str(work),
        "HOST": "127.0.0.1",
        "PORT": "0",
        "ADMIN_PORT": "0",
        "DRAIN_PROPAGATION_SECONDS": "0",
    }
    with Program("lingma_sim", ["login", "--workDir", str(work), "--uid", "alice"]) as login:
        assert login.wait() == 0
    lingma = ["start", "--workDir", str(work), "--socketPort", "0", "--httpPort", "0", "--record", str(record)]
    token = derive(MASTER, Credential.ROUTER_TOKEN, "uid")
    with Program("lingma_sim", lingma), Program("lingma_gateway", ["sidecar"], environment) as program:
        client_port, admin_port = program.wait_for("listening")["ports"]
        program.wait_for("lingma_state", new_state="ready")
        headers = {"Authorization": f"Bearer {token}", "x-lingma-key-id": "team"}
        with (
            httpx.Client(base_url=f"http://127.0.0.1:{client_port}", headers=headers, timeout=20) as client,
            httpx.Client(base_url=f"http://127.0.0.1:{admin_port}", timeout=20) as admin,
        ):
            yield Recorded(client, admin, program, record)
