"""As much of HTTP/1.1 as the login page, its callback and the control port need: one request a connection."""

import asyncio
import json
import socket
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

MAX_HEAD_BYTES = 16 * 1024
MAX_BODY_BYTES = 1024 * 1024
READ_SECONDS = 5.0
_BLANK_LINE = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Request:
    """A request. Of fields that are given several times the last one counts."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = b""

    def form(self) -> Mapping[str, str]:
        """The body as a posted form; what is none gives no fields."""
        return dict(urllib.parse.parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ValueError: it is none.
        """
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer."""

    body: str
    status: HTTPStatus = HTTPStatus.OK
    kind: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The bytes that go out."""
        body = self.body.encode("utf-8", "replace")
        head = {
            "Content-Type": self.kind,
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "Connection": "close",
            **self.headers,
        }
        lines = [f"HTTP/1.1 {self.status.value} {self.status.phrase}", *(f"{name}: {head[name]}" for name in head)]
        return "\r\n".join(lines).encode() + _BLANK_LINE + body


def html(body: str, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """A page."""
    return Response(body, status, "text/html; charset=utf-8")


def as_json(value: Any, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """A JSON document."""
    return Response(json.dumps(value, ensure_ascii=False) + "\n", status, "application/json")


NOT_FOUND = Response("not found\n", HTTPStatus.NOT_FOUND)
BAD_REQUEST = Response("bad request\n", HTTPStatus.BAD_REQUEST)

Handler = Callable[[Request], Awaitable[Response]]


def parse_head(head: bytes) -> Request | None:
    """The request line and the headers; None for what is no request."""
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        return None
    target = urllib.parse.urlsplit(words[1])
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            return None
        headers[name.lower()] = value.strip()
    query = dict(urllib.parse.parse_qsl(target.query, keep_blank_values=True))
    return Request(words[0], target.path, query, headers)


def body_length(request: Request) -> int | None:
    """How many bytes follow the headers; None when that cannot be told or is too much."""
    text = request.headers.get("content-length", "0")
    if "transfer-encoding" in request.headers or not (text.isascii() and text.isdigit() and len(text) < 10):
        return None
    return int(text) if int(text) <= MAX_BODY_BYTES else None


async def listen(handler: Handler, bound: socket.socket) -> asyncio.Server:
    """Serve on a bound socket."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            response = await _answer(reader, handler)
            writer.write(response.encode())
            await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ConnectionError):
            writer.transport.abort()
        finally:
            writer.close()

    return await asyncio.start_server(serve, sock=bound, limit=MAX_HEAD_BYTES)


async def _answer(reader: asyncio.StreamReader, handler: Handler) -> Response:
    async with asyncio.timeout(READ_SECONDS):
        head = await reader.readuntil(_BLANK_LINE)
        request = parse_head(head.removesuffix(_BLANK_LINE))
        length = None if request is None else body_length(request)
        if request is None or length is None:
            return BAD_REQUEST
        body = await reader.readexactly(length)
    return await handler(Request(request.method, request.path, request.query, request.headers, body))
