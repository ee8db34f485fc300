import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from lingma_contract.health import Health, InstanceHealth, LoginReason, State
from lingma_gateway import cli
from lingma_gateway.commands import health as checking


def instance(name: str, *, ready: bool, message: str = "logged in") -> InstanceHealth:
    return InstanceHealth(name, State.READY, 0, ready, ready, LoginReason.LOGGED_IN, message)


@asynccontextmanager
async def answering(body: bytes) -> AsyncIterator[str]:
    """The port of a server that has one answer."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield str(server.sockets[0].getsockname()[1])


@pytest.mark.parametrize(
    ("instances", "expected"),
    [
        ([instance("a", ready=True)], (True, "1 of 1 ready")),
        ([instance("a", ready=False), instance("b", ready=True)], (True, "1 of 2 ready")),
        ([instance("a", ready=False, message="logged out")], (False, "0 of 1 ready (a: logged out)")),
        ([], (False, "0 of 0 ready")),
    ],
)
async def test_a_gateway_is_healthy_with_one_ready_lingma(
    monkeypatch: pytest.MonkeyPatch, instances: list[InstanceHealth], expected: tuple[bool, str]
) -> None:
    async with answering(json.dumps(Health("now", tuple(instances)).as_json()).encode()) as port:
        monkeypatch.setenv("PORT", port)
        for host in ("", "0.0.0.0", "127.0.0.1"):
            monkeypatch.setenv("HOST", host)
            assert await asyncio.to_thread(checking.check) == expected


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b'{"instances": 3}'])
async def test_an_answer_of_another_program_is_no_gateway(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    monkeypatch.delenv("HOST", raising=False)
    async with answering(body) as port:
        monkeypatch.setenv("PORT", port)
        healthy, line = await asyncio.to_thread(checking.check)
        assert (healthy, line.partition(" (")[0]) == (False, f"no gateway answers on port {port}")


def test_it_exits_with_1_where_no_gateway_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", "1")
    with pytest.raises(SystemExit) as ended:
        cli.main(["health"])
    assert ended.value.code == 1
    assert capsys.readouterr().out == "no gateway answers on port 1 (ConnectionRefusedError)\n"


def test_a_port_that_is_none_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "eight")
    assert checking.check() == (False, "PORT is no number")


@pytest.mark.parametrize("arguments", [["--env-example"], ["--markdown", "docs/gateway.md"]])
def test_the_settings_are_printed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["settings", *arguments])
    assert ended.value.code == 0
    assert "LINGMA_ACCOUNTS" in capsys.readouterr().out
