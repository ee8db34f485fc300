"""A client of the simulator, as small as the protocol allows, with framing of its own."""

import asyncio
import itertools
import json
import re
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from lingma_sim import faults, login
from lingma_sim.options import Options
from lingma_sim.server import Simulator
from lingma_sim.workdir import WorkDir

SECONDS = 5.0
"""No wait is longer."""
SIXTY_DAYS = 60 * 24 * 3600.0

Message = dict[str, Any]


@dataclass(frozen=True)
class Turn:
    """What one chat/ask brought: its ack and the pushes up to chat/finish."""

    ack: Message
    pushes: list[Message]

    @property
    def methods(self) -> list[str]:
        return [push["method"] for push in self.pushes]

    def params(self, method: str) -> list[Message]:
        return [push["params"] for push in self.pushes if push["method"] == method]

    @property
    def chunks(self) -> list[str]:
        return [params["text"] for params in self.params("chat/answer")]

    @property
    def answer(self) -> str:
        return "".join(self.chunks)

    @property
    def finish(self) -> Message:
        return self.params("chat/finish")[-1]

    @property
    def session_id(self) -> str:
        session_id = self.finish["sessionId"]
        assert isinstance(session_id, str)
        return session_id


class Client:
    """One connection. Pushes are answered as they are read, unless `acks` is off."""

    def __init__(self, websocket: ClientConnection) -> None:
        self.websocket = websocket
        self.acks = True
        self.strict = True
        self.texts: list[str] = []
        """What was received, WebSocket message by message."""
        self._received = b""
        self.tool_reply: Message = {"result": {}}
        self._ids = itertools.count(1)

    async def send(self, message: Message) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False)
        await self.websocket.send(f"Content-Length: {len(body.encode())}\r\n\r\n{body}")

    async def next(self) -> Message:
        """The next message. Unless `strict` is off, the simulator sends one plain frame a WebSocket message."""
        async with asyncio.timeout(SECONDS):
            while (message := self._complete()) is None:
                assert not self.strict or not self._received
                text = await self.websocket.recv()
                assert isinstance(text, str)
                assert not self.strict or re.match(r"Content-Length: \d+\r\n\r\n", text)
                self.texts.append(text)
                self._received += text.encode()
        if "method" in message and "id" in message and self.acks:
            await self.ack(message)
        return message

    def _complete(self) -> Message | None:
        """The first message received, once it is there as a whole."""
        header, blank, rest = self._received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)^content-length:\s*(\d+)\s*$", header, re.MULTILINE)
        if not blank or length is None or len(rest) < int(length[1]):
            return None
        body, self._received = rest[: int(length[1])], rest[int(length[1]) :]
        message: Message = json.loads(body)
        return message

    async def ack(self, push: Message) -> None:
        reply = self.tool_reply if push["method"] == "tool/invoke" else {"result": None}
        await self.send({"id": push["id"], **reply})

    async def request(self, method: str, params: Any = None) -> Message:
        """Call and return the very next message, which must be the reply."""
        request_id = next(self._ids)
        await self.send({"id": request_id, "method": method, "params": {} if params is None else params})
        reply = await self.next()
        assert reply.get("id") == request_id, reply
        assert "method" not in reply, reply
        return reply

    async def result(self, method: str, params: Any = None) -> Any:
        return (await self.request(method, params))["result"]

    async def until(self, method: str) -> list[Message]:
        """The pushes up to the first of `method`."""
        pushes = []
        while True:
            push = await self.next()
            assert "method" in push, push
            pushes.append(push)
            if push["method"] == method:
                return pushes

    async def turn(self, question: str, **params: Any) -> Turn:
        """A whole turn asked for by a request."""
        ack = await self.result("chat/ask", ask(question, **params))
        return Turn(ack, await self.until("chat/finish"))


def ask(question: str, **params: Any) -> Message:
    """The parameters of chat/ask."""
    return {
        "requestId": str(uuid.uuid4()),
        "sessionId": "",
        "sessionType": "chat",
        "chatTask": "FREE_INPUT",
        "mode": "chat",
        "isReply": False,
        "questionText": question,
        **params,
    }


@asynccontextmanager
async def client(port: int, *, initialize: bool = True) -> AsyncIterator[Client]:
    async with connect(f"ws://127.0.0.1:{port}/", compression=None) as websocket:
        it = Client(websocket)
        if initialize:
            await it.request("initialize")
        yield it


@asynccontextmanager
async def talking(
    tmp_path: Path, uid: str = "alice", *, crash: Callable[[], None] | None = None, **options: Any
) -> AsyncIterator[tuple[Simulator, Client]]:
    """A simulator with `uid` logged in (empty: nobody), and an initialized client."""
    if uid:
        log_in(tmp_path, uid)
    async with running(tmp_path, crash=crash, **options) as simulator, client(simulator.socket_port) as it:
        yield simulator, it


@asynccontextmanager
async def running(
    tmp_path: Path, *, crash: Callable[[], None] | None = None, **options: Any
) -> AsyncIterator[Simulator]:
    chosen = Options(tmp_path, **{"socket_port": 0, "http_port": 0, **options})
    async with Simulator(chosen) if crash is None else Simulator(chosen, crash) as simulator:
        yield simulator


def log_in(path: Path, uid: str, expires_in: float = SIXTY_DAYS, *, mismatched: bool = False) -> None:
    WorkDir(path).write_cache(login.cache_files(uid, time.time(), expires_in, mismatched=mismatched))


def log_of(path: Path) -> str:
    return (path / "logs" / "lingma.log").read_text()


@asynccontextmanager
async def controlled(
    tmp_path: Path, uid: str = "alice", **options: Any
) -> AsyncIterator[tuple[Simulator, Client, "Control"]]:
    """As talking, with its control port."""
    async with talking(tmp_path, uid, control_port=0, **options) as (simulator, it):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{simulator.control_port}") as http:
            yield simulator, it, Control(http)


@dataclass(frozen=True)
class Control:
    """The control port, as a test uses it."""

    http: httpx.AsyncClient

    async def get(self, path: str, **query: Any) -> Any:
        return (await self.http.get(path, params=query)).raise_for_status().json()

    async def post(self, path: str, **body: Any) -> Any:
        return (await self.http.post(path, json=body)).raise_for_status().json()


def chosen(text: str) -> tuple[faults.Chosen, ...]:
    return tuple(faults.parse(text))


async def eventually(condition: Callable[[], bool]) -> None:
    """Let the loop run until `condition` holds."""
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110 - each turn of the loop is progress; there is no event to await
            await asyncio.sleep(0)
