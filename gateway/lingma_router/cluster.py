"""Lists and watches of the Kubernetes API, on a session of our own.

`kubernetes.aio` supplies address, certificates and authentication (a mounted token is read again every minute by its
`refresh_api_key_hook`, which `auth_settings` calls); its typed calls and its watch are not used: they decode every
object into models, and hide bookmarks and silence.
"""

import json
import logging
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from kubernetes.aio import config as kubernetes_config
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject

from lingma_contract import jsonlog

_log = logging.getLogger(__name__)

PAGE = 500
"""Objects in one answer of a list."""
LIST_TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=10)


class ApiError(Exception):
    """The API server refused, or answered what is no answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Gone(ApiError):
    """410: the resource version is too old to continue from; only a new list helps."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where the API server is and how to be let in."""

    host: str
    """Its URL."""
    ssl_context: ssl.SSLContext | None
    authorization: Callable[[], Awaitable[str | None]]
    """The value of the `Authorization` header for the next request."""


async def access() -> Access:
    """Access as the pod's service account, else as the kubeconfig says.

    Raises:
        kubernetes.aio.config.ConfigException: there is neither.
    """
    loader: Any = kubernetes_config  # has no types
    configuration = Configuration()
    try:
        loader.load_incluster_config(client_configuration=configuration)
    except kubernetes_config.ConfigException:
        await loader.load_kube_config(client_configuration=configuration, persist_config=False)

    async def authorization() -> str | None:
        settings = await configuration.auth_settings()
        return settings["BearerToken"]["value"] if "BearerToken" in settings else None

    return Access(configuration.host, RESTClientObject(configuration).ssl_context, authorization)


class Cluster:
    """Lists and watches. An async context manager that owns its session."""

    def __init__(self, access: Access, *, watch_timeout_s: int, watch_silence_s: float) -> None:
        """See `Settings` for the two times."""
        self._access = access
        self._watch_timeout_s = watch_timeout_s
        self._watch_timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=watch_silence_s)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Cluster":
        context = self._access.ssl_context
        connector = aiohttp.TCPConnector(limit=0, ssl=True if context is None else context)
        self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def list(self, path: str, selector: str | None) -> tuple[list[Mapping[str, Any]], str]:
        """All objects at `path`, and the resource version to watch from.

        Raises:
            ApiError: the API server refused.
            aiohttp.ClientError, TimeoutError: it could not be asked.
        """
        params = {"limit": str(PAGE)} | ({"labelSelector": selector} if selector else {})
        objects: list[Mapping[str, Any]] = []
        while True:
            async with await self._get(path, params, LIST_TIMEOUT) as response:
                page = json.loads(await response.read())
            objects += page.get("items") or []
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                return objects, str(metadata.get("resourceVersion", ""))
            params["continue"] = metadata["continue"]

    async def watch(
        self, path: str, selector: str | None, version: str
    ) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        """The changes at `path` after `version`, as (type, object), bookmarks among them, until the server ends.

        Raises:
            Gone: `version` is too old.
            ApiError: the API server refused, or reports another error.
            aiohttp.ClientError, TimeoutError: the connection failed or fell silent.
        """
        params = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(self._watch_timeout_s),
        } | ({"labelSelector": selector} if selector else {})
        async with await self._get(path, params, self._watch_timeout) as response:
            async for line in _lines(response.content):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise _error(event["object"].get("code", 500), event["object"].get("message", ""))
                yield event["type"], event["object"]

    async def _get(self, path: str, params: Mapping[str, str], limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        if self._session is None:
            raise RuntimeError("the cluster is used before `async with`")
        headers = {"accept": "application/json"}
        authorization = await self._access.authorization()
        if authorization is not None:
            headers["authorization"] = authorization
        response = await self._session.get(self._access.host + path, params=params, headers=headers, timeout=limits)
        if response.status != 200:
            message = (await response.text())[:500]
            response.release()
            raise _error(response.status, message)
        return response


def _error(status: int, message: str) -> ApiError:
    return Gone(status, message) if status == 410 else ApiError(status, message)


async def _lines(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length: the reader's own has a limit below what an object may have."""
    rest = b""
    async for data in stream.iter_any():
        *complete, rest = (rest + data).split(b"\n")
        for line in complete:
            if line.strip():
                yield line
    if rest.strip():
        # A line that was cut off is no event; what it would have said comes with the next watch.
        jsonlog.event(_log, "watch-line-cut", level=logging.DEBUG, bytes=len(rest))
