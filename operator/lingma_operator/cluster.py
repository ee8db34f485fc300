"""The one module that calls the Kubernetes API.

Configuration and authentication come from the official client; requests go over one session of our own, since
server-side apply by its typed calls costs four times the CPU.
"""

import json
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp

from lingma_contract.names import FIELD_MANAGER, STATUS_FIELD_MANAGER
from lingma_operator.metrics import REQUESTS
from lingma_operator.objects import Kind, Obj, kind_of

PAGE = 500
"""Objects a page of a list: what the API server serves at once without a spike of memory."""
REQUEST_SECONDS = 30.0


class ApiError(Exception):
    """The API server did not do what it was asked. The message never holds content of a Secret."""


class NotFound(ApiError):
    """There is no such object."""


class AlreadyExists(ApiError):
    """There is one of that name."""


class Conflict(ApiError):
    """The object is not the one that was meant: another UID or another version."""


class Forbidden(ApiError):
    """The operator's role does not allow it, or admission refused it."""


class Invalid(ApiError):
    """The object is refused as it stands."""


class Immutable(Invalid):
    """A field would change that cannot: the object has to be made anew."""


class ApiUnavailable(ApiError):
    """No answer, or one that will be another later: come back."""


class Cluster(Protocol):
    """What the operator asks of Kubernetes."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Obj:
        """One object.

        Raises:
            NotFound: there is none.
        """

    async def list(self, kind: Kind, namespace: str | None, labels: Mapping[str, str] = ...) -> list[Obj]:
        """All objects of a namespace, or of the cluster when None, that carry the labels."""

    async def create(self, obj: Obj) -> Obj:
        """Make an object.

        Raises:
            AlreadyExists: there is one of that name; it was not touched.
        """

    async def apply(self, obj: Obj) -> Obj:
        """Make the object say what `obj` says, and return it as it is then.

        Raises:
            Immutable: a field would change that cannot.
            Invalid, Forbidden: the API server or admission refuses it.
        """

    async def apply_status(self, obj: Obj) -> Obj:
        """The same for the status of an object that exists.

        Raises:
            NotFound: it does not exist.
        """

    async def delete(self, obj: Obj, *, orphan: bool = False) -> None:
        """Delete this very object; one that is gone counts as deleted. `orphan` spares what it owns.

        Raises:
            Conflict: another object has its name by now.
        """


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the API server is and how to show who we are."""

    server: str
    ssl: ssl.SSLContext | None
    authorization: Callable[[], Awaitable[str | None]]
    """The header's value; a service account's token is read anew each minute."""
    ca_path: str | None = None
    cert_path: str | None = None
    key_path: str | None = None
    verify: bool = True


async def connection() -> Connection:
    """The connection that the pod's service account or the user's kubeconfig describes.

    Raises:
        kubernetes.aio.config.ConfigException: neither is there.
    """
    # Imported here: these packages take a second to load, which `lingma-operator crd` should not cost.
    from kubernetes.aio import client, config

    loader: Any = config  # Its functions carry no types.
    configuration = client.Configuration()
    if "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ:
        loader.load_incluster_config(client_configuration=configuration)
    else:
        await loader.load_kube_config(client_configuration=configuration)

    async def authorization() -> str | None:
        settings: Mapping[str, Any] = await configuration.auth_settings()
        for setting in settings.values():
            if setting["key"] == "authorization" and setting["value"]:
                return str(setting["value"]).strip()
        return None

    return Connection(
        server=configuration.host.rstrip("/"),
        ssl=_ssl_context(configuration) if configuration.host.startswith("https") else None,
        authorization=authorization,
        ca_path=configuration.ssl_ca_cert,
        cert_path=configuration.cert_file,
        key_path=configuration.key_file,
        verify=configuration.verify_ssl,
    )


def _ssl_context(configuration: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert, cadata=configuration.ca_cert_data)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, keyfile=configuration.key_file)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class ApiCluster:
    """A `Cluster` over HTTP."""

    def __init__(self, connected: Connection, session: aiohttp.ClientSession) -> None:
        self._connection = connected
        self._session = session
        self._host = urlsplit(connected.server).netloc

    async def get(self, kind: Kind, namespace: str, name: str) -> Obj:
        return await self._call("GET", kind, kind.value.path(namespace, name))

    async def list(
        self, kind: Kind, namespace: str | None, labels: Mapping[str, str] = MappingProxyType({})
    ) -> list[Obj]:
        found: list[Obj] = []
        query = {"limit": str(PAGE)}
        if labels:
            query["labelSelector"] = ",".join(f"{key}={value}" for key, value in labels.items())
        while True:
            page = await self._call("GET", kind, kind.value.path(namespace), query=query)
            # Items of a list do not say their kind.
            head = {"apiVersion": kind.value.api_version, "kind": kind.value.kind}
            found += ({**head, **item} for item in page["items"])
            following = page["metadata"].get("continue")
            if not following:
                return found
            query["continue"] = following

    async def create(self, obj: Obj) -> Obj:
        kind = kind_of(obj)
        path = kind.value.path(obj["metadata"]["namespace"])
        return await self._call("POST", kind, path, query={"fieldManager": FIELD_MANAGER}, body=obj)

    async def apply(self, obj: Obj) -> Obj:
        return await self._apply(obj, FIELD_MANAGER, "")

    async def apply_status(self, obj: Obj) -> Obj:
        return await self._apply(obj, STATUS_FIELD_MANAGER, "/status")

    async def delete(self, obj: Obj, *, orphan: bool = False) -> None:
        kind, metadata = kind_of(obj), obj["metadata"]
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": metadata["uid"]},
            "propagationPolicy": "Orphan" if orphan else "Background",
        }
        try:
            await self._call("DELETE", kind, kind.value.path(metadata["namespace"], metadata["name"]), body=body)
        except NotFound:
            return

    async def _apply(self, obj: Obj, manager: str, subresource: str) -> Obj:
        kind, metadata = kind_of(obj), obj["metadata"]
        path = kind.value.path(metadata["namespace"], metadata["name"]) + subresource
        query = {"fieldManager": manager, "force": "true"}
        return await self._call("PATCH", kind, path, query=query, body=obj, content="application/apply-patch+yaml")

    async def _call(
        self,
        method: str,
        kind: Kind,
        path: str,
        *,
        query: Mapping[str, str] = MappingProxyType({}),
        body: Obj | None = None,
        content: str = "application/json",
    ) -> Obj:
        headers = {"Accept": "application/json", "Content-Type": content}
        authorization = await self._connection.authorization()
        if authorization is not None:
            headers["Authorization"] = authorization
        code = "<error>"
        try:
            async with self._session.request(
                method,
                self._connection.server + path,
                params=query,
                data=None if body is None else json.dumps(body).encode(),
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS),
            ) as response:
                code = str(response.status)
                answer = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ApiUnavailable(f"{method} {path}: {type(error).__name__}") from error
        finally:
            REQUESTS.labels(code=code, method=method, host=self._host).inc()
        if response.status >= 400:
            raise _error(kind, f"{method} {path}", response.status, answer)
        return answer if isinstance(answer, dict) else {}


def _error(kind: Kind, call: str, status: int, answer: object) -> ApiError:
    body = answer if isinstance(answer, dict) else {}
    # What the API server says of a Secret may quote it.
    said = "" if kind is Kind.SECRET else f": {body.get('message', '')}"
    message = f"{call}: {status} {body.get('reason', '')}{said}"
    match status:
        case 403:
            return Forbidden(message)
        case 404:
            return NotFound(message)
        case 409:
            return AlreadyExists(message) if body.get("reason") == "AlreadyExists" else Conflict(message)
        case 400 | 413 | 415:
            return Invalid(message)
        case 422:
            return Immutable(message) if _changes_what_cannot(body) else Invalid(message)
        case _:
            return ApiUnavailable(message)


def _changes_what_cannot(body: Mapping[str, Any]) -> bool:
    """How apimachinery words it: a StatefulSet forbids changes of `spec`, other kinds call the field immutable."""
    causes = (body.get("details") or {}).get("causes") or []
    return any(
        (cause.get("reason") == "FieldValueForbidden" and cause.get("field") == "spec")
        or "field is immutable" in cause.get("message", "")
        for cause in causes
    )


@asynccontextmanager
async def connected(to: Connection, parallel: int) -> AsyncIterator[ApiCluster]:
    """A cluster whose session ends with the block; at most `parallel` requests are in flight."""
    connector = aiohttp.TCPConnector(limit=parallel, ssl=to.ssl if to.ssl is not None else True)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield ApiCluster(to, session)
