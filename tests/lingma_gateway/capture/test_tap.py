"""The tap against a WebSocket server of the test's own, which sees exactly what arrives."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed

from lingma_contract.masking import Masker
from lingma_gateway.capture.recording import Recording
from lingma_gateway.capture.tap import NoLingma, Tap, forwarded_headers, tapping
from lingma_gateway.codec.frames import encode_frame

PING = encode_frame(b'{"id":1,"method":"ping","params":{"secret":"s-1"}}').decode()
SECONDS = 5.0


@dataclass
class Far:
    """What the server behind the tap saw."""

    port: int = 0
    received: list[str | bytes] = field(default_factory=list)
    headers: list[Headers] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.headers.append(socket.request.headers)
        self.paths.append(socket.request.path)
        try:
            while (message := await socket.recv()) not in ("close", "abort"):
                self.received.append(message)
                await socket.send(message)
        except ConnectionClosed:
            self.closed.set()
            return
        if message == "close":
            await socket.close(4001, "done")
        else:
            socket.transport.abort()


@dataclass
class Tapped:
    far: Far
    tap: Tap
    port: int
    recording: Recording
    file: io.StringIO

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.file.getvalue().splitlines()]


@asynccontextmanager
async def tapped(lingma_port: Callable[[], int] | None = None) -> AsyncIterator[Tapped]:
    far, file = Far(), io.StringIO()
    recording = Recording(file, Masker())
    async with asyncio.timeout(SECONDS), serve(far.serve, "127.0.0.1", 0, compression=None) as server:
        far.port = server.sockets[0].getsockname()[1]
        async with tapping(recording, "127.0.0.1", 0, lingma_port or (lambda: far.port)) as (tap, port):
            yield Tapped(far, tap, port, recording, file)


async def test_messages_pass_untouched_and_are_recorded_masked() -> None:
    async with tapped() as it, connect(f"ws://127.0.0.1:{it.port}/", compression=None) as client:
        for message in (PING[:20], PING[20:], PING.encode(), "", "no frame at all\r\n\r\n"):
            await client.send(message)
            assert await client.recv() == message
        assert it.far.received == [PING[:20], PING[20:], PING.encode(), "", "no frame at all\r\n\r\n"]
        await client.close()
        await it.far.closed.wait()
    masked = {"id": 1, "method": "ping", "params": {"secret": "***"}}
    assert sorted(line["direction"] for line in it.lines()) == ["in", "in", "out", "out"]
    assert all(line["message"] == masked and line["connection"] == 1 for line in it.lines())
    assert (it.recording.frames, it.recording.undecoded, it.tap.connections) == (4, 2, 1)


async def test_each_client_has_a_connection_of_its_own() -> None:
    async with tapped() as it:
        async with connect(f"ws://127.0.0.1:{it.port}/a") as one, connect(f"ws://127.0.0.1:{it.port}/b?c") as two:
            for client in (one, two):
                await client.send(PING)
                await client.recv()
        assert it.far.paths == ["/a", "/b?c"]
    assert {line["connection"] for line in it.lines()} == {1, 2}


async def test_lingma_sees_the_headers_of_the_client() -> None:
    headers = {"Cosy-MachineToken": "m-1"}
    async with tapped() as it:
        async with connect(
            f"ws://127.0.0.1:{it.port}/ws", additional_headers=headers, user_agent_header="IDE/1"
        ) as client:
            await client.send(PING)
            await client.recv()
        [seen] = it.far.headers
        assert (seen["Cosy-MachineToken"], seen["User-Agent"]) == ("m-1", "IDE/1")
        assert seen["Host"] == f"127.0.0.1:{it.far.port}"
        assert len(seen.get_all("Sec-WebSocket-Key")) == 1
    assert "m-1" not in it.file.getvalue()


def test_what_belongs_to_one_connection_is_not_forwarded() -> None:
    headers = Headers([("Host", "x"), ("Sec-WebSocket-Key", "y"), ("Origin", "z"), ("Cookie", "a"), ("Cookie", "b")])
    assert list(forwarded_headers(headers).raw_items()) == [("Origin", "z"), ("Cookie", "a"), ("Cookie", "b")]


@pytest.mark.parametrize(("word", "code", "reason"), [("close", 4001, "done"), ("abort", 1011, "")])
async def test_the_client_learns_how_lingma_ended(word: str, code: int, reason: str) -> None:
    async with tapped() as it, connect(f"ws://127.0.0.1:{it.port}/") as client:
        await client.send(word)
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert (client.close_code, client.close_reason) == (code, reason)


async def test_a_client_that_is_gone_ends_the_connection_to_lingma() -> None:
    async with tapped() as it:
        client = await connect(f"ws://127.0.0.1:{it.port}/")
        await client.send(PING)
        await client.recv()
        client.transport.abort()
        await client.wait_closed()
        await it.far.closed.wait()


async def test_without_a_lingma_the_client_is_told() -> None:
    def nowhere() -> int:
        raise NoLingma("no .info")

    async with tapped(nowhere) as it, connect(f"ws://127.0.0.1:{it.port}/") as client:
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert (client.close_code, client.close_reason) == (1011, "the tap does not reach Lingma")


async def test_the_end_of_the_tap_ends_its_connections() -> None:
    async with asyncio.timeout(SECONDS):
        async with tapped() as it:
            client = await connect(f"ws://127.0.0.1:{it.port}/")
            await client.send(PING)
            await client.recv()
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert client.close_code == 1001
