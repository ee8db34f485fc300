"""What a capture of the wire may hold: messages without tokens, keys, people and, unless asked for, what people wrote.

Four rules, each of which is enough to mask a value: the name of its field, the company it keeps (`name` beside `uid` is
a person's), what it looks like (e-mail addresses, tokens, home folders), and that it was masked before under a field
that gave it away. Text that is not needed to understand the protocol becomes its length, so the structure stays.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from enum import Enum, auto
from typing import Any

MASK = "***"
MAX_DEPTH = 64
"""Deeper values are cut off: no message of Lingma's is that deep."""

_SECRET = frozenset(
    {
        *("auth", "authorization", "tokenstring", "password", "passwd", "secret", "signature", "sign", "ticket"),
        *("key", "verifier", "nonce", "challenge", "loginurl", "encryptuserinfo", "machineid", "cookie"),
        *("credentials", "privatekey", "captcha", "verifycode"),
    }
)
_SECRET_ENDINGS = ("token", "secret", "password", "apikey", "accesskey", "secretkey", "cookie", "credential")
_MODEL_MARKS = frozenset({"displayname", "isreasoning", "isvl", "isdefault", "maxinputtokens", "format", "source"})
"""Beside one of these, or alone, `key` is the name of a model."""
_PERSONAL = frozenset(
    {
        *("uid", "aid", "userid", "accountid", "yxuid", "orgid", "orgname", "organizationid", "organizationname"),
        *("username", "nickname", "nick", "realname", "loginname", "avatarurl", "phone", "mobile", "employeeid"),
        *("email", "mail", "hostname", "staffid", "endpoint", "httpproxy", "baseurl"),
    }
)
"""A dedicated endpoint or a proxy names the company."""
_ACCOUNT_MARKS = frozenset(
    {"uid", "accountid", "usertype", "refreshtoken", "expiretime", "yxuid", "whitelist", "orgid"}
)
"""Beside one of these, `name` and `id` are a person's, and not a tool's or a program's."""
_PERSONAL_WITH_MARKS = frozenset({"id", "name", "displayname"})
_PATHS = frozenset(
    {
        *("uri", "rooturi", "projecturi", "imageuri", "imageurl", "imageurls", "cwd", "path", "ipcserverpath", "url"),
        *("projectpath", "workspacepath", "filepath", "activefilepath", "rootpath", "workspacefolder"),
    }
)
_TEXTS = frozenset(
    {
        *("questiontext", "question", "text", "content", "prompt", "query", "answer", "fullanswer", "title"),
        *("sessiontitle", "selecteditemcontent", "filecode", "description", "thought", "thinking", "data"),
        # A tool's arguments and results, whatever they look like.
        *("parameters", "arguments", "results", "input", "output"),
    }
)
_STRUCTURE = frozenset({"type", "contexttype", "sessionupdate", "identifier", "status", "kind", "mimetype", "role"})
"""Inside text, what says of which kind it is."""
_TELLING = frozenset({"errormessage", "errormsg", "reason", "displayname"})
"""Text that a capture is made for: what failures and models are called."""
_IDS = ("requestid", "sessionid", "toolcallid", "messageid", "recordid")
"""Made up by the programs, for one message or conversation."""

_NAME_LIKE = re.compile(r"[A-Za-z0-9_.,:/@+-]{0,128}")
"""Ids, methods, enum values, versions: what the protocol itself is made of."""
_FIELD_LIKE = re.compile(r"[A-Za-z_][A-Za-z0-9_/.-]{0,63}")
_FENCE = re.compile(r"(`{3,}(?:(?:think|toolCall)::[\w:.-]{0,80})?)")
"""Markers inside an answer, which are protocol (Qoder's fenced thinking)."""

# Each pattern begins only where a word begins, so that the longest text takes linear time.
_LOOKS_SECRET = re.compile(
    r"(?i:bearer\s+)[A-Za-z0-9._~+/=-]{8,}"
    r"|(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]+"
    r"|\b(?:sk|pt|rt|pat|ghp|glpat|xox[abprs])-[A-Za-z0-9_-]{12,}"
    r"|\b(?:gh[opsur]|github_pat)_[A-Za-z0-9_]{12,}|\bAKIA[A-Z0-9]{12,}"
    r"|\bLTAI[A-Za-z0-9]{12,}"
    r"|(?<![A-Za-z0-9-])[0-9a-fA-F]{32,}(?![A-Za-z0-9-])"
    # Long, with digits, capitals and small letters: no word, and no key of a model.
    r"|(?<![A-Za-z0-9+/_=-])(?=[A-Za-z+/_=-]*[0-9])(?=[0-9a-z+/_=-]*[A-Z])"
    r"(?=[0-9A-Z+/_=-]*[a-z])[A-Za-z0-9+/_=-]{32,}"
)
_SECRET_QUERY = re.compile(r"(?i)([?&;](?:[a-z_]*token|auth|nonce|state|code|[a-z_]*key|sign(?:ature)?)=)[^&\s\"'#]+")
_MACHINE_KEY = re.compile(r"(?i)(machine[ _-]?(?:key|id)[\"']?\s*[:=]\s*[\"']?)[^\s,;\"']+")
"""Lingma logs it when a login does not fit: it is the key of `cache/user`."""
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]+(?:\.[\w-]+)+")
_PHONE = re.compile(r"(?<![\w])(?:\+?86[- ]?)?1[3-9]\d{9}(?![\w])")
_HOME = re.compile(r"(?i)((?:/|\\|%2f)(?:home|users)(?:/|\\{1,2}|%2f))(?:[^/\\%\"'\n]{1,64}(?=\\)|[^/\\%\s\"']+)")

_MAX_TEXT_CHARS = 256 * 1024
"""Longer texts become their length even when texts are kept: they are images."""
_MIN_LEARNED = 3
"""Characters: shorter ASCII names would be found in the middle of everything."""


def without_secrets(text: str) -> str:
    """Words of Lingma's that go into a log or an error, without what looks like a token, a key or a person."""
    text = _MACHINE_KEY.sub(rf"\1{MASK}", text)
    return _without_patterns(text, lambda _: MASK)


def _without_patterns(text: str, person: Callable[[str], str]) -> str:
    text = _SECRET_QUERY.sub(rf"\1{MASK}", text)
    text = _LOOKS_SECRET.sub(MASK, text)
    text = _EMAIL.sub(lambda found: person(found[0]), text)
    text = _PHONE.sub(MASK, text)
    return _HOME.sub(r"\1<home>", text)


class _Below(Enum):
    """What a field's place says of the strings in it."""

    NOTHING = auto()
    SECRET = auto()
    PERSONAL = auto()
    PATH = auto()
    TEXT = auto()
    TELLING = auto()
    ID = auto()


class Masker:
    """Masks the messages of one capture. The same person or path gets the same placeholder throughout it."""

    def __init__(self, *, keep_prompts: bool = False, known: Iterable[str] = ()) -> None:
        """`known`: names to be masked wherever they occur, such as the name of who makes the capture."""
        self._keep_prompts = keep_prompts
        self._people: dict[str, str] = {}
        self._paths: dict[str, str] = {}
        self._learned: re.Pattern[str] | None = None
        for name in known:
            self._person(name)

    def message(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """One JSON-RPC message, masked. Its envelope (`id`, `method`, an error's code) stays."""
        masked: dict[str, Any] = {}
        for name, value in message.items():
            if name in ("jsonrpc", "id", "method") and isinstance(value, str | int | None):
                masked[name] = self._patterns(value) if isinstance(value, str) and name == "id" else value
            else:
                masked[self._patterns(name)] = self._value(value, _Below.NOTHING, 1)
        return masked

    def _value(self, value: Any, below: _Below, depth: int) -> Any:
        if depth > MAX_DEPTH:
            return MASK
        if isinstance(value, dict):
            return self._object(value, below, depth)
        if isinstance(value, list):
            return [self._value(item, below, depth + 1) for item in value]
        if isinstance(value, str):
            return self._string(value, below)
        if isinstance(value, bool) or value is None or below not in (_Below.SECRET, _Below.PERSONAL):
            return value
        return 0

    def _object(self, value: dict[str, Any], below: _Below, depth: int) -> dict[str, Any]:
        plain = {name: _plain(name) for name in value}
        siblings = frozenset(plain.values())
        masked: dict[str, Any] = {}
        for name, item in value.items():
            here = _place(plain[name], siblings, below)
            key = self._key(name, below)
            masked[key if key not in masked else f"{key}#{len(masked)}"] = self._value(item, here, depth + 1)
        return masked

    def _key(self, name: str, below: _Below) -> str:
        return self._patterns(name) if _FIELD_LIKE.fullmatch(name) else self._string(name, below)

    def _string(self, value: str, below: _Below) -> str:
        if not value:
            return value
        if below is not _Below.SECRET and (len(value) > _MAX_TEXT_CHARS or value.startswith("data:")):
            return _length(value)
        match below:
            case _Below.SECRET:
                return MASK
            case _Below.PERSONAL:
                return self._person(value)
            case _Below.PATH if not self._keep_prompts:
                return self._path(value)
            case _Below.TEXT if not self._keep_prompts:
                return _length(value)
            case _Below.ID if _NAME_LIKE.fullmatch(value):
                return value
            case _Below.NOTHING | _Below.ID if not self._keep_prompts:
                return self._unknown(value)
            case _:
                return self._patterns(value)

    def _unknown(self, value: str) -> str:
        """A string of which nothing is known but what it looks like."""
        if value.startswith(("/", "file:")) or re.match(r"[A-Za-z]:[\\/]", value):
            return self._path(value)
        masked = self._patterns(value)
        return masked if masked != value or _NAME_LIKE.fullmatch(value) else _length(value)

    def _person(self, value: str) -> str:
        if value not in self._people:
            self._people[value] = f"<person-{len(self._people) + 1}>"
            self._learn()
        return self._people[value]

    def _learn(self) -> None:
        worth = (name for name in self._people if len(name) >= (_MIN_LEARNED if name.isascii() else 2))
        escaped = [re.escape(name) for name in sorted(worth, key=len, reverse=True)]
        pattern = rf"(?<![A-Za-z0-9])(?:{'|'.join(escaped)})(?![A-Za-z0-9])"
        self._learned = re.compile(pattern) if escaped else None

    def _path(self, value: str) -> str:
        return self._paths.setdefault(value, f"<path-{len(self._paths) + 1}>")

    def _patterns(self, value: str) -> str:
        """`value` without what gives itself away."""
        if self._learned is not None:
            value = self._learned.sub(lambda found: self._people[found[0]], value)
        return _without_patterns(value, self._person)


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _place(name: str, siblings: frozenset[str], above: _Below) -> _Below:
    """What a field says of its content. `name` and `siblings` are plain."""
    if above in (_Below.SECRET, _Below.PERSONAL):
        return above
    if _is_secret(name, siblings):
        return _Below.SECRET
    if name in _PERSONAL or (name in _PERSONAL_WITH_MARKS and siblings & _ACCOUNT_MARKS):
        return _Below.PERSONAL
    if name in _TEXTS or (above is _Below.TEXT and name not in _STRUCTURE):
        return _Below.TEXT
    return _harmless(name, siblings)


def _is_secret(name: str, siblings: frozenset[str]) -> bool:
    if name == "key":
        return not (siblings & _MODEL_MARKS or siblings == {"key"})
    return name in _SECRET or name.endswith(_SECRET_ENDINGS)


def _harmless(name: str, siblings: frozenset[str]) -> _Below:
    if name in _PATHS or (name == "name" and "uri" in siblings):
        return _Below.PATH
    # The message of a JSON-RPC error, and not of a step of an answer.
    if name in _TELLING or (name == "message" and "code" in siblings):
        return _Below.TELLING
    return _Below.ID if name.endswith(_IDS) else _Below.NOTHING


def _length(value: str) -> str:
    """The placeholder of a text: how many characters it has; fences in it stay."""
    return "".join(
        part if index % 2 else f"<text {len(part)}>" for index, part in enumerate(_FENCE.split(value)) if part
    )
