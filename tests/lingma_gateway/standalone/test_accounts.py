"""Several accounts on one machine."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from lingma_gateway.lingma import infofile
from tests.lingma_gateway.standalone.conftest import serving, settings
from tests.support.programs import Program

CHAT = "/v1/chat/completions"
BundleOf = Callable[[str], str]


def ask(text: str, **fields: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": text}], **fields}


def text_of(response: httpx.Response) -> str:
    return str(response.json()["choices"][0]["message"]["content"])


def accounts(tmp_path: Path, bundle_of: BundleOf, *names: str) -> str:
    """LINGMA_ACCOUNTS: each has a session bundle, the first as text, the others as files."""
    entries: list[dict[str, str]] = []
    for name in names:
        path = tmp_path / f"bundle-{name}"
        path.write_text(bundle_of(name))
        entries.append({"name": name, "session_bundle": path.read_text() if not entries else str(path)})
    return json.dumps(entries)


def both_become_ready(program: Program) -> None:
    """In either order."""
    names = {"alice", "bob"}
    while names:
        names.discard(program.wait_for("lingma_state", new_state="ready")["instance"])


def test_each_account_has_a_lingma_with_a_work_directory_and_ports_of_its_own(
    tmp_path: Path, bundle_of: BundleOf
) -> None:
    text = accounts(tmp_path, bundle_of, "alice", "bob")
    environment = settings(tmp_path / "work", LINGMA_ACCOUNTS=text, METRICS_TOKEN="mt-hidden")
    with Program("lingma_gateway", ["serve"], environment) as program:
        it = serving(program)
        both_become_ready(program)
        with it.client() as client:
            answers = [client.post(CHAT, json=ask(f"{number}\n@sim whoami")) for number in range(8)]
        assert {text_of(answer) for answer in answers} == {"alice", "bob"}
        assert all(answer.headers["x-lingma-account"] == text_of(answer) for answer in answers)
        infos = [infofile.read(tmp_path / "work" / name) for name in ("alice", "bob")]
        assert len({info.port for info in infos if info is not None}) == 2
        port = it.url.rpartition(":")[2]
        with Program("lingma_gateway", ["health"], {"PORT": port}) as check:
            assert check.wait() == 0
            assert "2 of 2 ready" in "".join(check.lines)
        for name in ("alice", "bob"):
            inherited = json.loads((tmp_path / "work" / name / "environment.json").read_text())
            assert "LINGMA_VARIANTS" in inherited
            assert not {"API_KEYS", "LINGMA_ACCOUNTS", "METRICS_TOKEN"} & set(inherited)
        assert program.terminate() == 0
    log = "".join(program.lines)
    assert "hidden" not in log
    assert "H4sI" not in log


def test_a_lingma_that_fails_holds_up_none_of_the_others_and_says_why(tmp_path: Path, bundle_of: BundleOf) -> None:
    text = accounts(tmp_path, bundle_of, "alice", "bob")
    environment = settings(tmp_path / "work", {"alice": {"exit": 3}}, LINGMA_ACCOUNTS=text)
    with Program("lingma_gateway", ["serve"], environment) as program:
        it = serving(program)
        program.wait_for("lingma_state", instance="bob", new_state="ready")
        with it.client() as client:
            assert [text_of(client.post(CHAT, json=ask("@sim whoami"))) for _ in range(3)] == ["bob"] * 3
        program.wait_for("lingma_exited", instance="alice", code=3)
        assert (
            it.message_of("alice")
            == "not connected to Lingma: Lingma ended with code 3 before it said where it listens"
        )
        assert it.healthz()["pool_ready"] == 1


def test_a_request_goes_to_an_account_that_has_its_model(tmp_path: Path, bundle_of: BundleOf) -> None:
    variants = {"alice": {"models": ["org_auto"]}, "bob": {"models": ["org_auto", "kmodel"]}}
    environment = settings(
        tmp_path / "work",
        variants,
        LINGMA_ACCOUNTS=accounts(tmp_path, bundle_of, "alice", "bob"),
        UNKNOWN_MODEL="reject",
        MODEL_ALIASES="gpt-4o,Claude-X=Kimi-K2.5,lost=q35model,other-*",
        MODEL_ALIASES_LISTED="true",
    )
    with Program("lingma_gateway", ["serve"], environment) as program:
        it = serving(program)
        both_become_ready(program)
        with it.client() as client:
            listed = [(model["id"], model["name"]) for model in client.get("/v1/models").json()["data"]]
            models = [("org_auto", "Auto"), ("kmodel", "Kimi-K2.5")]
            assert listed == [*models, ("gpt-4o", "Auto"), ("Claude-X", "Kimi-K2.5")]
            for model in ("kmodel", "kimi-k2.5", "claude-x"):
                served = [client.post(CHAT, json=ask("Hello", model=model)).headers for _ in range(2)]
                assert [headers["x-lingma-account"] for headers in served] == ["bob", "bob"]
                assert [headers["x-lingma-model"] for headers in served] == ["kmodel", "kmodel"]
            asked = [ask(f"Hello {number}", model="gpt-4o") for number in range(8)]
            served = [client.post(CHAT, json=each).headers for each in asked]
            assert {headers["x-lingma-account"] for headers in served} == {"alice", "bob"}
            assert {headers["x-lingma-model"] for headers in served} == {"org_auto"}
            for model in ("llama", "lost"):
                refused = client.post(CHAT, json=ask("Hello", model=model))
                assert (refused.status_code, refused.json()["error"]["code"]) == (404, "model_not_found")
            # bob's model is known still, so it is not a wrong name while he is away
            (pid,) = [event["pid"] for event in map(json.loads, filter(_started("bob"), program.lines))]
            os.kill(pid, signal.SIGSTOP)
            program.wait_for("lingma_state", instance="bob", new_state="reconnecting")
            away = client.post(CHAT, json=ask("Hello", model="kmodel"))
            assert (away.status_code, away.json()["error"]["code"]) == (503, "no_ready_account")
            program.wait_for("lingma_given_up", instance="bob", pid=pid)
            # a mute Lingma of ours is ended and started again, without anybody asking
            program.wait_for("lingma_exited", instance="bob", code=-signal.SIGKILL)
            program.wait_for("lingma_state", instance="bob", new_state="ready")
            assert client.post(CHAT, json=ask("Hello", model="kmodel")).headers["x-lingma-account"] == "bob"


def _started(name: str) -> Callable[[str], bool]:
    return lambda line: '"lingma_started"' in line and f'"{name}"' in line


def test_a_gateway_whose_lingma_is_logged_out_is_not_healthy_and_lists_no_models(tmp_path: Path) -> None:
    with Program("lingma_gateway", ["serve"], settings(tmp_path / "work")) as program:
        it = serving(program)
        program.wait_for("lingma_login", reason="NoSession")
        with it.client() as client:
            refused = client.get("/v1/models")
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "no_ready_account")
        assert "not logged in" in refused.json()["error"]["message"]
        with Program("lingma_gateway", ["health"], {"PORT": it.url.rpartition(":")[2]}) as check:
            assert check.wait() == 1
            assert "0 of 1 ready (lingma-1: Lingma is not logged in" in "".join(check.lines)


def test_a_lingma_that_has_the_fixed_port_already_is_used_and_outlives_the_gateway(
    tmp_path: Path, bundle_of: BundleOf
) -> None:
    work = tmp_path / "theirs"
    with Program("lingma_sim", ["login", "--workDir", str(work), "--uid", "carol"]) as login:
        assert login.wait() == 0
    arguments = ["start", "--workDir", str(work), "--socketPort", "0", "--httpPort", "0"]
    with Program("lingma_sim", arguments) as lingma:
        while (info := infofile.read(work)) is None:
            lingma.process.poll()
        environment = settings(tmp_path / "ours", LINGMA_SOCKET_PORT=str(info.port), LINGMA_BIN="/missing/Lingma")
        with Program("lingma_gateway", ["serve"], environment) as program:
            it = serving(program)
            program.wait_for("lingma_attached", port=info.port)
            program.wait_for("lingma_state", new_state="ready")
            with it.client() as client:
                assert text_of(client.post(CHAT, json=ask("@sim whoami"))) == "carol"
            assert program.terminate() == 0
        assert lingma.process.poll() is None


def test_a_fixed_port_that_is_free_is_given_to_lingma_and_one_that_is_gone_is_taken_over(tmp_path: Path) -> None:
    with Program("lingma_sim", ["login", "--workDir", str(tmp_path), "--uid", "dave"]) as login:
        assert login.wait() == 0
    with httpx.Client() as _, Program("lingma_gateway", ["serve"], settings(tmp_path)) as first:
        first.wait_for("lingma_state", new_state="ready")
        info = infofile.read(tmp_path)
        assert info is not None
        assert first.terminate() == 0
    stale = f'{{"websocketPort": 1, "pid": {os.getpid()}}}'
    (tmp_path / infofile.JSON_NAME).write_text(stale)  # of a live process, though not of Lingma
    with Program("lingma_gateway", ["serve"], settings(tmp_path, LINGMA_SOCKET_PORT=str(info.port))) as second:
        second.wait_for("lingma_state", new_state="ready")
        found = infofile.read(tmp_path)
        assert found is not None
        assert found.port == info.port


def test_settings_of_one_account_that_a_list_replaces_are_named(tmp_path: Path) -> None:
    environment = settings(
        tmp_path, LINGMA_ACCOUNTS="a:b,c:d", LINGMA_PASSWORD="hidden", LINGMA_USERNAME="", LINGMA_SOCKET_PORT="1"
    )
    environment |= {"AUTO_LOGIN_ENABLED": "false"}
    with Program("lingma_gateway", ["serve"], environment) as program:
        assert program.wait_for("settings_unused")["unused"] == ["LINGMA_PASSWORD"]
        assert program.wait_for("settings_unused")["unused"] == ["LINGMA_SOCKET_PORT"]
        serving(program)
    assert "hidden" not in "".join(program.lines)


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("LINGMA_ACCOUNTS", "u1:p1,hidden", "LINGMA_ACCOUNTS: entry 2 is not USER:PASSWORD"),
        ("LINGMA_ACCOUNTS", "[hidden", "LINGMA_ACCOUNTS begins like JSON and is none"),
        ("AGENT_TOOLS", "list_dir=show,hidden", "AGENT_TOOLS: Value error, entry 2 must be NAME=deny"),
        ("MODEL_ALIASES", "a,b*c", "MODEL_ALIASES: Value error, entry 2 needs a name"),
    ],
)
def test_a_bad_setting_ends_the_start_with_its_name_and_without_its_value(
    tmp_path: Path, variable: str, value: str, complaint: str
) -> None:
    with Program("lingma_gateway", ["serve"], settings(tmp_path) | {variable: value}) as program:
        assert program.wait() == 2
    assert complaint in "".join(program.lines)
    assert "hidden" not in "".join(program.lines)


@pytest.mark.parametrize("variable", ["DEFAULT_ASK_MODE", "TOOLS_MODE"])
def test_settings_that_ask_for_the_agent_where_it_is_off_end_the_start_and_name_the_switch(
    tmp_path: Path, variable: str
) -> None:
    environment = settings(tmp_path) | {variable: "agent", "AGENT_MODE": "off"}
    with Program("lingma_gateway", ["serve"], environment) as program:
        assert program.wait() == 2
    assert f"{variable}=agent asks for Lingma's agent, which is off here: set AGENT_MODE=on" in "".join(program.lines)
