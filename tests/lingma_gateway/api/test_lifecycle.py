"""How a gateway starts, loses its Lingma, finds it again, and ends."""

import threading
from pathlib import Path

import httpx
import pytest

from lingma_contract.derivation import credential_lines, derive
from lingma_contract.names import Credential
from tests.lingma_gateway.api.conftest import ENVIRONMENT, started
from tests.support.programs import Program

CHAT = "/v1/chat/completions"
MASTER = b"m" * 32


def ask(text: str, stream: bool = False) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": text}], "stream": stream}


def test_a_crashed_lingma_is_started_again_and_the_turn_fails_at_once() -> None:
    with Program("lingma_gateway", ["serve", "--simulate", "1", "--port", "0"], ENVIRONMENT) as program:
        gateway = started(program, 1)
        with gateway.client() as client:
            assert client.post(CHAT, json=ask("@sim crash")).status_code == 502
            program.wait_for("lingma_state", new_state="ready")
            assert client.post(CHAT, json=ask("back")).json()["choices"][0]["message"]["content"] == "echo: back"


def test_a_logged_out_lingma_is_not_ready_and_says_why() -> None:
    with Program("lingma_gateway", ["serve", "--simulate", "1", "--port", "0"], ENVIRONMENT) as program:
        gateway = started(program, 1)
        with gateway.client() as client:
            client.post(CHAT, json=ask("@sim logout"))
            program.wait_for("lingma_login", reason="NoSession")
            assert client.get("/healthz").json()["ok"] is False
            refused = client.post(CHAT, json=ask("Hello"))
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "no_ready_account"
    assert 1 <= int(refused.headers["retry-after"]) <= 60


def test_a_full_gateway_answers_429_with_a_small_retry_after() -> None:
    environment = ENVIRONMENT | {"GATEWAY_MAX_IN_FLIGHT": "1", "GATEWAY_QUEUE_TIMEOUT_SEC": "0"}
    with Program("lingma_gateway", ["serve", "--simulate", "1", "--port", "0"], environment) as program:
        gateway = started(program, 1)
        with gateway.client() as client:
            with client.stream("POST", CHAT, json=ask("@sim say x\n@sim hang", stream=True)) as answer:
                received = answer.iter_bytes()  # kept: httpx hangs up when it is collected
                next(received)
                refused = client.post(CHAT, json=ask("Hello"))
            assert refused.status_code == 429
            assert refused.json()["error"]["code"] == "backpressure"
            assert 1 <= int(refused.headers["retry-after"]) <= 60
            program.wait_for("access", status=499)
            assert client.post(CHAT, json=ask("Hello")).status_code == 200


def test_sigterm_lets_a_running_answer_finish() -> None:
    with Program("lingma_gateway", ["serve", "--simulate", "1", "--port", "0"], ENVIRONMENT) as program:
        gateway = started(program, 1)
        prompt = "@sim say " + " ".join("w" * 20) + "\n@sim chunks 20\n@sim delay 100"
        with gateway.client() as client, client.stream("POST", CHAT, json=ask(prompt, stream=True)) as answer:
            received = answer.iter_text()
            text = next(received)
            ending = threading.Thread(target=program.terminate)
            ending.start()
            program.wait_for("draining", in_flight=1)
            text += "".join(received)
        ending.join()
        assert text.endswith("data: [DONE]\n\n")
        assert program.process.returncode == 0


def test_a_start_without_api_keys_is_refused_and_says_what_to_set() -> None:
    with Program("lingma_gateway", ["serve", "--port", "0"]) as program:
        assert program.wait() == 2
        assert "API_KEYS is not set" in "".join(program.lines)


def test_a_bad_setting_is_named() -> None:
    with Program("lingma_gateway", ["serve"], {"GATEWAY_MAX_IN_FLIGHT": "many"}) as program:
        assert program.wait() == 2
        assert "GATEWAY_MAX_IN_FLIGHT" in "".join(program.lines)


@pytest.fixture
def sidecar_environment(tmp_path: Path) -> dict[str, str]:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    for credential in Credential:
        (credentials / credential.value).write_text(credential_lines([MASTER], credential, "uid-1"))
    return {
        "LINGMA_ACCOUNT": "alice",
        "LINGMA_ACCOUNT_UID": "uid-1",
        "LINGMA_CREDENTIALS_DIR": str(credentials),
        "LINGMA_WORK_DIR": str(tmp_path / "work"),
        "LINGMA_SESSION_BUNDLE_FILE": str(tmp_path / "bundle"),
        "LINGMA_PING_INTERVAL": "1",
        "DRAIN_PROPAGATION_SECONDS": "0",
        "UNKNOWN_MODEL": "reject",
        "HOST": "127.0.0.1",
        "PORT": "0",
        "ADMIN_PORT": "0",
    }


def bundle(uid: str) -> str:
    with Program("lingma_sim", ["bundle", "--uid", uid]) as program:
        assert program.wait() == 0
        return "".join(program.lines)


def test_a_sidecar_finds_the_lingma_beside_it_and_answers_its_router_only(
    tmp_path: Path, sidecar_environment: dict[str, str]
) -> None:
    (tmp_path / "bundle").write_text(bundle("alice"))
    folders = {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp")}
    with Program("lingma_gateway", ["session", "restore"], sidecar_environment | folders) as restoring:
        assert restoring.wait_for("session_restore")["outcome"] == "restored"
        assert restoring.wait() == 0
    assert all(Path(folder).is_dir() for folder in folders.values())
    lingma = ["start", "--workDir", str(tmp_path / "work"), "--socketPort", "0", "--httpPort", "0"]
    token = derive(MASTER, Credential.ROUTER_TOKEN, "uid-1")
    with Program("lingma_gateway", ["sidecar"], sidecar_environment) as program:
        ports = program.wait_for("listening")["ports"]
        url, admin = (f"http://127.0.0.1:{port}" for port in ports)
        assert httpx.get(admin + "/readyz").status_code == 503
        with Program("lingma_sim", lingma):
            program.wait_for("lingma_state", new_state="ready")
            assert httpx.get(admin + "/readyz").status_code == 200
            assert httpx.get(admin + "/metrics").status_code == 200
            assert httpx.get(url + "/metrics").status_code == 404
            assert httpx.post(url + CHAT, json=ask("@sim whoami")).status_code == 401
            headers = {"Authorization": f"Bearer {token}", "x-lingma-key-id": "team-a"}
            answer = httpx.post(url + CHAT, json=ask("@sim whoami"), headers=headers)
            assert answer.json()["choices"][0]["message"]["content"] == "alice"
            assert answer.headers["x-lingma-account"] == "alice"
            assert program.wait_for("access", status=200)["key_id"] == "team-a"
            unknown = httpx.post(url + CHAT, json=ask("Hello") | {"model": "gpt-9"}, headers=headers)
            assert unknown.status_code == 404
            assert unknown.json()["error"]["code"] == "model_not_found"
        program.wait_for("lingma_state", new_state="reconnecting")
        assert httpx.get(admin + "/livez/lingma").status_code == 200


def test_a_sidecar_without_a_session_says_so_and_one_with_a_broken_bundle_too(
    tmp_path: Path, sidecar_environment: dict[str, str]
) -> None:
    lingma = ["start", "--workDir", str(tmp_path / "work"), "--socketPort", "0", "--httpPort", "0"]
    with Program("lingma_sim", lingma), Program("lingma_gateway", ["sidecar"], sidecar_environment) as program:
        assert program.wait_for("lingma_login")["reason"] == "NoSession"
        (tmp_path / "bundle").write_text("no bundle at all")
        assert program.wait_for("lingma_login")["reason"] == "BundleInvalid"


def test_a_lingma_that_deleted_its_login_gets_it_back_once_and_is_then_restarted(
    tmp_path: Path, sidecar_environment: dict[str, str]
) -> None:
    lingma = ["start", "--workDir", str(tmp_path / "work"), "--socketPort", "0", "--httpPort", "0"]
    (tmp_path / "bundle").write_text(bundle("alice"))
    with Program("lingma_gateway", ["sidecar"], sidecar_environment) as program:
        admin = f"http://127.0.0.1:{program.wait_for('listening')['ports'][1]}"
        with Program("lingma_sim", lingma):
            assert program.wait_for("lingma_login")["reason"] == "NotConnected"
            assert httpx.get(admin + "/livez/lingma").status_code == 503
        with Program("lingma_sim", lingma):
            program.wait_for("lingma_login", reason="LoggedIn")
            assert httpx.get(admin + "/livez/lingma").status_code == 200
