"""The socket, against the library's own server and against servers that are none."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve

from lingma_gateway.lingma.websocket import SocketClosed, WebSocket, connect

SECONDS = 5.0
MAX = 1_000_000


class End:
    """Our end of a connection: what it received, and why it was lost."""

    def __init__(self) -> None:
        self.received: asyncio.Queue[bytes] = asyncio.Queue()
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def take(self, messages: list[bytes]) -> None:
        for message in messages:
            self.received.put_nowait(message)

    async def next(self) -> bytes:
        async with asyncio.timeout(SECONDS):
            return await self.received.get()

    async def why_lost(self) -> str:
        async with asyncio.timeout(SECONDS):
            return await self.lost


@asynccontextmanager
async def connected(max_bytes: int = MAX) -> AsyncIterator[tuple[ServerConnection, WebSocket, End]]:
    """Both ends."""
    theirs: asyncio.Future[ServerConnection] = asyncio.get_running_loop().create_future()

    async def handle(connection: ServerConnection) -> None:
        theirs.set_result(connection)
        await connection.wait_closed()

    async with serve(handle, "127.0.0.1", 0, compression=None, close_timeout=0.1, max_size=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        end = End()
        socket = await connect(port, max_bytes, end.take, end.lost.set_result)
        try:
            yield await theirs, socket, end
        finally:
            await socket.close()


async def test_messages_go_both_ways_and_each_is_one_message_at_the_other_end() -> None:
    async with connected() as (lingma, socket, end):
        await lingma.send("tokens")
        assert await end.next() == b"tokens"
        socket.send_at_once([b"one", "zwei 思".encode()])
        await socket.send(b"three")
        assert [await lingma.recv() for _ in range(3)] == ["one", "zwei 思", "three"]


async def test_a_message_in_fragments_arrives_and_so_does_what_follows_it() -> None:
    async with connected() as (lingma, _, end):
        await lingma.send(["a", "bc", "d"])
        await lingma.send("e")
        received = b""
        while not received.endswith(b"e"):
            received += await end.next()
        assert received == b"abcde"


async def test_a_ping_is_answered() -> None:
    async with connected() as (lingma, _, _end):
        async with asyncio.timeout(SECONDS):
            await (await lingma.ping())


async def test_a_message_beyond_the_limit_ends_the_connection_and_says_why() -> None:
    async with connected(max_bytes=100) as (lingma, socket, end):
        await lingma.send("x" * 100)
        assert len(await end.next()) == 100
        await lingma.send("x" * 101)
        assert "exceeds limit" in await end.why_lost()
        await lingma.wait_closed()
        assert lingma.close_code == 1009
        with pytest.raises(SocketClosed):
            socket.send_at_once([b"too late"])


@pytest.mark.parametrize(
    ("lose", "reason"),
    [
        (lambda lingma: lingma.transport.abort(), ""),
        (lambda lingma: lingma.transport.write(b"\xff\xff\xff"), "opcode"),
        (lambda lingma: lingma.protocol.send_close(1011, "a secret") or lingma.send_data(), "code 1011"),
    ],
)
async def test_a_lost_connection_is_told_once_and_at_once(
    lose: Callable[[ServerConnection], None], reason: str
) -> None:
    async with connected() as (lingma, socket, end):
        lose(lingma)
        why = await end.why_lost()
        assert reason in why
        assert "secret" not in why
        with pytest.raises(SocketClosed):
            await socket.send(b"too late")


async def test_closing_ends_a_connection_whose_other_end_says_nothing_any_more() -> None:
    async with connected() as (lingma, socket, end):
        lingma.transport.pause_reading()
        await socket.close()
        assert end.lost.done()


async def test_what_arrives_with_the_handshake_is_read() -> None:
    async def greet(connection: ServerConnection) -> None:
        await connection.send("at once")
        await connection.wait_closed()

    async with serve(greet, "127.0.0.1", 0, close_timeout=0.1) as server:
        end = End()
        socket = await connect(next(iter(server.sockets)).getsockname()[1], MAX, end.take, end.lost.set_result)
        assert await end.next() == b"at once"
        await socket.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        b"no HTTP\r\n\r\n",
        b"x" * 20_000,
        b"",
    ],
)
async def test_what_is_no_websocket_is_no_connection(answer: bytes) -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
        with pytest.raises(SocketClosed):
            await connect(server.sockets[0].getsockname()[1], MAX, lambda _: None, lambda _: None)


async def test_an_other_end_that_reads_nothing_holds_up_who_sends_and_acknowledgements_are_bounded() -> None:
    async with connected() as (lingma, socket, end):
        lingma.transport.pause_reading()
        sending = asyncio.create_task(socket.send(b"x" * 30_000_000))
        await asyncio.sleep(0)
        assert not sending.done()
        socket.send_at_once([b"y" * 1_100_000])  # more unread acknowledgements than may wait
        await lingma.send("unread")
        done, _ = await asyncio.wait({asyncio.create_task(end.next())}, timeout=0.05)
        assert not done
        lingma.transport.resume_reading()
        async with asyncio.timeout(SECONDS):
            await sending
        assert await lingma.recv() is not None
