"""Which account a request wants, read from the request alone.

The answer is a list of candidates, the strongest first. An account that a candidate names may be gone or not ready:
then a hard candidate decides how the request fails, and a soft one gives way to the next. A key, unlike a name, fits
whichever accounts are ready, so that a list ends with at most one of them.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lingma_contract import fingerprint, ids
from lingma_contract.ids import Kind
from lingma_contract.names import Header


class Reason(StrEnum):
    """How the account was chosen: the value of `x-lingma-reason`."""

    TOKEN = "token"
    """By an affinity token of ours that came back."""
    ID = "id"
    """By an id of ours in the request."""
    HEADER = "header"
    """By the client's own value of `x-lingma-affinity`."""
    SESSION = "session"
    """By a session key of the client's dialect."""
    PROMPT = "prompt"
    """By the conversation's opening."""
    NONE = "none"
    """By load: the request says nothing."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """A proven name of an account."""

    reason: Reason
    account_uid: str
    hard: bool
    """The account holds state that the request lacks: no other one can answer."""


@dataclass(frozen=True, slots=True)
class Keyed:
    """A key that stands for the conversation, scoped by the API key."""

    reason: Reason
    key: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """State is asked for by an id that names no account of this router."""

    param: str | None
    """The field of the body, or None when the id is in the path."""
    value: str


Affinity = Pinned | Keyed | Lost

Resolve = Callable[[str], tuple[Kind, str] | None]
"""The kind of an id and the UID of the existing account that signed it for this API key; None for anything else."""

MAX_ITEMS_SEARCHED = 256
"""Messages looked at for ids of ours, from the end: an agent's call ids are in the last two or three."""
MAX_KEY_CHARS = 1024
"""Of a session key; longer ones are prompts or attacks."""

_STATEFUL = ("/v1/responses/", "/responses/")
_ID_FIELDS = ("call_id", "tool_call_id", "tool_use_id", "id")
_SESSION_HEADERS = (
    # A thread is narrower than a session: Codex gives each of its subagents one.
    "thread-id",
    "conversation_id",
    "session-id",
    "session_id",
    "x-session-affinity",
    "x-session-id",
)
_CLAUDE_SESSION = "x-claude-code-session-id"
_CLAUDE_AGENT = "x-claude-code-agent-id"


@dataclass(frozen=True, slots=True)
class Request:
    """What of a request may say where it belongs. Header names are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    """The decoded body; empty when there is none or it is no JSON object."""
    key_id: str


def candidates(request: Request, resolve: Resolve) -> Iterator[Affinity]:
    """What the request says about its account, the strongest first. Made as far as it is asked for."""
    yield from _hard(request, resolve)
    header = request.headers.get(Header.AFFINITY, "").strip()
    tokens = [header, request.headers.get(Header.CODEX_TURN_STATE, "").strip()]
    named = [(value, uid) for value in tokens if (uid := _account_of_token(value, resolve))]
    yield from (Pinned(Reason.TOKEN, uid, hard=False) for _, uid in named)
    if header and header not in dict(named):
        yield _keyed(Reason.HEADER, request, header)
        return
    uid = _account_of_last_id(request.body, resolve)
    if uid is not None:
        yield Pinned(Reason.ID, uid, hard=False)
    session = _session(request)
    if session is not None:
        yield _keyed(Reason.SESSION, request, session)
        return
    opening = fingerprint.opening(request.body)
    if opening is not None:
        yield _keyed(Reason.PROMPT, request, opening)


def _keyed(reason: Reason, request: Request, value: str) -> Keyed:
    # Scoped, so that no client can move or find the conversations of another one by guessing its session ids.
    return Keyed(reason, f"{request.key_id}\0{value}".encode("utf-8", "surrogatepass"))


def _hard(request: Request, resolve: Resolve) -> Iterator[Affinity]:
    value, param = _state_id(request)
    if value is not None:
        named = resolve(value)
        if named is not None and named[0] is Kind.RESPONSE:
            yield Pinned(Reason.ID, named[1], hard=True)
        else:
            yield Lost(param, value)


def _state_id(request: Request) -> tuple[str | None, str | None]:
    """The id of a stored response that the request cannot do without, and the field that holds it."""
    for prefix in _STATEFUL:
        if request.path.startswith(prefix) and (value := request.path[len(prefix) :].split("/")[0]):
            return value, None
    previous = request.body.get("previous_response_id")
    return (previous, "previous_response_id") if isinstance(previous, str) and previous else (None, None)


def _account_of_token(value: str, resolve: Resolve) -> str | None:
    named = resolve(value)
    return named[1] if named is not None and named[0] is Kind.AFFINITY else None


def _account_of_last_id(body: Mapping[str, Any], resolve: Resolve) -> str | None:
    items = body.get("messages", body.get("input"))
    if not isinstance(items, list):
        return None
    for item in items[: -MAX_ITEMS_SEARCHED - 1 : -1]:
        for value in _ids(item):
            # An item of a stored response names that response: only its account can say what the item is.
            place = ids.item_place(value)
            named = resolve(value if place is None else place.response_id)
            if named is not None and named[0] is not Kind.AFFINITY:
                return named[1]
    return None


def _ids(item: Any) -> Iterator[str]:
    """The ids in one message or input item: on itself, on its content blocks, on its tool calls."""
    if not isinstance(item, Mapping):
        return
    for nested in (item.get("content"), item.get("tool_calls"), [item]):
        if isinstance(nested, list):
            for part in reversed(nested):
                if isinstance(part, Mapping):
                    yield from (value for field in _ID_FIELDS if isinstance(value := part.get(field), str))


def _session(request: Request) -> str | None:
    """The session key that the client's dialect has, whichever it is.

    Not `x-client-request-id`: SDKs put a new one on every request, and where it is a session (Codex, pi) the same
    value stands in a header or field read here.
    """
    user, claude_session = _anthropic_user(request.body)
    claude = request.headers.get(_CLAUDE_SESSION) or claude_session
    if claude:
        # Subagents share the session's id and run beside it; each is a conversation of its own.
        agent = request.headers.get(_CLAUDE_AGENT)
        return _sane(f"{claude}/{agent}" if agent else claude)
    found = (
        *(request.headers.get(name) for name in _SESSION_HEADERS),
        *(request.body.get(field) for field in ("prompt_cache_key", "user", "safety_identifier")),
        user,
    )
    return next((key for value in found if (key := _sane(value))), None)


def _sane(value: Any) -> str | None:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_KEY_CHARS:
        return None
    return value.strip()


def _anthropic_user(body: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """`metadata.user_id` as it is, and the `session_id` in it when it is the JSON text that Claude Code sends."""
    metadata = body.get("metadata")
    user = metadata.get("user_id") if isinstance(metadata, Mapping) else None
    if not isinstance(user, str) or len(user) > MAX_KEY_CHARS:
        return None, None
    try:
        inner = json.loads(user)
    except ValueError:
        return user, None
    session = inner.get("session_id") if isinstance(inner, dict) else None
    return user, session if isinstance(session, str) else None
