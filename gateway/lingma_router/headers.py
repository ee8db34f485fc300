"""Which paths and headers pass from one side to the other. Pure."""

from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from lingma_contract.names import INTERNAL_HEADER_PREFIX, Header

HOP_BY_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
"""RFC 9110, section 7.6.1, and the one that browsers made up."""

_CREDENTIALS = frozenset(("authorization", "x-api-key", "api-key", "cookie"))
"""A client's secrets end here: a gateway gets the router's own token."""

_OURS = frozenset(("host", "content-length", "expect", Header.REQUEST_ID.value))
"""Set anew by the router's own client, or by the router."""

_PREFIXES = ("/v1/", "/responses/")
_WHOLE = ("/responses",)


def is_forwarded(raw_path: str) -> bool:
    """Whether a request for this path (as sent, without the query) goes to an account.

    Only `/v1/…` and `/responses…`. A path that some parser behind the router might read as another one (dots, empty
    segments, backslashes, encoded slashes) goes nowhere.
    """
    if raw_path not in _WHOLE and not raw_path.startswith(_PREFIXES):
        return False
    decoded = unquote(raw_path)
    if "\\" in decoded or decoded.count("/") != raw_path.count("/"):
        return False
    segments = decoded[1:].rstrip("/").split("/")
    return not any(segment in ("", ".", "..") for segment in segments)


def needs_no_login(raw_path: str) -> bool:
    """Whether a gateway answers this path by itself, without a Lingma that is logged in."""
    return raw_path == "/v1/messages/count_tokens" or raw_path == "/v1/models" or raw_path.startswith("/v1/models/")


def is_responses(raw_path: str) -> bool:
    """Whether the path is of OpenAI's Responses API, whose clients know `x-codex-turn-state`."""
    return raw_path in ("/v1/responses", "/responses")


def to_gateway(headers: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The client's headers that a gateway may see: no credentials, nothing internal, nothing of this connection."""
    pairs = list(headers)
    dropped = HOP_BY_HOP | _CREDENTIALS | _OURS | _named_by_connection(pairs)
    for name, value in pairs:
        lower = name.lower()
        if lower not in dropped and not lower.startswith(INTERNAL_HEADER_PREFIX):
            yield name, value


def to_client(headers: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The gateway's headers that go on to the client: all but those of the connection between the two."""
    pairs = list(headers)
    dropped = HOP_BY_HOP | _named_by_connection(pairs)
    return ((name, value) for name, value in pairs if name.lower() not in dropped)


def _named_by_connection(pairs: list[tuple[str, str]]) -> frozenset[str]:
    return frozenset(
        token.strip().lower()
        for name, value in pairs
        if name.lower() == "connection"
        for token in value.split(",")
        if token.strip()
    )
