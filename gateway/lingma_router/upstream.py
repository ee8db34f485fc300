"""The connections to the accounts' gateways: one request out, the head of its answer back."""

import io
import logging
import socket
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from lingma_contract import jsonlog
from lingma_router.settings import Settings

_log = logging.getLogger(__name__)

_SILENT_HEADERS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
"""What aiohttp would add where the client sent none."""
_MAX_HEADER_BYTES = 64 * 1024
"""Of one header of an answer: lists of ignored fields grow with the request."""
_LONG_BODY_BYTES = 256 * 1024
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 15), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3))
"""Seconds, seconds, probes: a pod that is lost with its node is noticed in half a minute even before an answer began,
when there is no limit on silence (an answer that is not streamed may take minutes)."""


class UpstreamError(Exception):
    """No answer came. `safe` when the request cannot have been processed; the message is ours."""

    def __init__(self, message: str, *, safe: bool) -> None:
        super().__init__(message)
        self.safe = safe


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request as it goes to a gateway; only the token is not yet on it."""

    method: str
    target: str
    """Path and query, as the client sent them."""
    headers: CIMultiDict[str]
    body: bytes


class Upstream:
    """The session to all gateways. An async context manager."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Upstream":
        connector = aiohttp.TCPConnector(
            limit=0,  # the default of 100 would queue streams behind streams
            keepalive_timeout=self._settings.keepalive_s,
            socket_factory=_socket,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._settings.connect_timeout_s),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_SILENT_HEADERS,
            max_line_size=_MAX_HEADER_BYTES,
            max_field_size=_MAX_HEADER_BYTES,
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, address: str, tokens: Sequence[str], outgoing: Outgoing) -> aiohttp.ClientResponse:
        """The answer's head; its body is still to be read, and the answer to be closed.

        Tries the next token after a 401: while a new master secret spreads, a gateway may know only the previous one.

        Raises:
            UpstreamError: the gateway could not be reached, broke off before it answered, or knows no token of ours.
        """
        for token in tokens:
            response = await self._request(address, token, outgoing)
            if response.status != 401:
                return response
            response.close()
        raise UpstreamError("its gateway does not accept this router's token", safe=True)

    async def _request(self, address: str, token: str, outgoing: Outgoing) -> aiohttp.ClientResponse:
        if self._session is None:
            raise RuntimeError("the upstream is used before `async with`")
        headers = outgoing.headers.copy()
        headers["Authorization"] = f"Bearer {token}"
        try:
            return await self._session.request(
                outgoing.method,
                URL(f"http://{address}{outgoing.target}", encoded=True),
                headers=headers,
                data=_payload(outgoing.body),
                allow_redirects=False,
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            self._report(address, error)
            raise UpstreamError("its gateway cannot be reached", safe=True) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._report(address, error)
            raise UpstreamError("its gateway broke off before it answered", safe=False) from error

    @staticmethod
    def _report(address: str, error: Exception) -> None:
        jsonlog.event(
            _log, "upstream-failed", level=logging.WARNING, address=address, problem=f"{type(error).__name__}: {error}"
        )


def _payload(body: bytes) -> bytes | io.BytesIO | None:
    """The body as aiohttp writes it best: a long one piece by piece, as the other end takes it."""
    return io.BytesIO(body) if len(body) > _LONG_BODY_BYTES else body or None


def _socket(info: tuple[int, int, int, str, tuple[object, ...]]) -> socket.socket:
    family, kind, proto, _, _ = info
    made = socket.socket(family, kind, proto)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE:
        made.setsockopt(socket.IPPROTO_TCP, option, value)
    return made
