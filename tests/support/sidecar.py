"""A sidecar with one simulated Lingma whose login the test chooses."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from lingma_contract.derivation import credential_lines, derive
from lingma_contract.names import Credential
from lingma_sim import login
from tests.support.programs import Program

MASTER = b"a" * 32
UID = "uid-of-alice"
ADMIN_TOKEN = derive(MASTER, Credential.ADMIN_TOKEN, UID)
ROUTER_TOKEN = derive(MASTER, Credential.ROUTER_TOKEN, UID)


@dataclass(frozen=True)
class Sidecar:
    client: httpx.Client
    """As the router."""
    admin: httpx.Client
    """With the admin token."""
    program: Program
    lingma: Program
    work_dir: Path

    def running_turns(self) -> int:
        """How many turns run now."""
        return int(self.admin.get("/internal/stats").json()["concurrency"]["in_flight"])


def write_login(work_dir: Path, **fields: object) -> dict[str, object]:
    """A login of alice, with these fields of `cache/user`; it is returned."""
    cache = work_dir / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    machine_id = login.machine_id_of("alice").encode()
    user = login.new_login("alice", time.time()) | fields
    (cache / "id").write_bytes(machine_id)
    (cache / "user").write_bytes(login.encrypt(machine_id, user))
    (cache / "config.json").write_bytes(b"{}")
    return user


@contextmanager
def sidecar(
    base: Path, lingma_arguments: Sequence[str] = (), *, ready: bool = True, **settings: str
) -> Iterator[Sidecar]:
    """Runs both programs; the work directory is `base / "work"`. `ready`: wait until Lingma is logged in."""
    credentials, work_dir = base / "credentials", base / "work"
    credentials.mkdir()
    work_dir.mkdir(exist_ok=True)
    for credential in Credential:
        (credentials / credential.value).write_text(credential_lines([MASTER], credential, UID))
    environment = {
        "LINGMA_ACCOUNT": "alice",
        "LINGMA_ACCOUNT_UID": UID,
        "LINGMA_CREDENTIALS_DIR": str(credentials),
        "LINGMA_WORK_DIR": str(work_dir),
        "LOG_LEVEL": "debug",
        "HOST": "127.0.0.1",
        "PORT": "0",
        "ADMIN_PORT": "0",
        "LINGMA_PING_INTERVAL": "1",
        "DRAIN_PROPAGATION_SECONDS": "0",
        **settings,
    }
    start = ["start", "--workDir", str(work_dir), "--socketPort", "0", "--httpPort", "0", *lingma_arguments]
    with ExitStack() as stack:
        lingma = stack.enter_context(Program("lingma_sim", start))
        program = stack.enter_context(Program("lingma_gateway", ["sidecar"], environment))
        ports = program.wait_for("listening")["ports"]
        program.wait_for("lingma_state", new_state="ready")
        if ready:
            assert "LoggedIn" in httpx.get(f"http://127.0.0.1:{ports[0]}/healthz").text
        clients = [
            stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=_bearer(token), timeout=70))
            for port, token in zip(ports, (ROUTER_TOKEN, ADMIN_TOKEN), strict=True)
        ]
        yield Sidecar(clients[0], clients[1], program, lingma, work_dir)


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "x-lingma-key-id": "team"}
