"""What the router is told by its environment, read once and never again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from lingma_contract import names
from lingma_contract.names import Env, Port

_T = TypeVar("_T")

ALL_NAMESPACES = "*"


class SettingsError(ValueError):
    """A variable is missing or cannot be what it says; the message begins with the variable's name."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting of the router. The variable that sets a field is in `from_environ`."""

    namespaces: tuple[str, ...]
    """Namespaces whose accounts are served; `("*",)` means all of them."""
    api_keys_dir: Path
    """Folder of the API key Secret, a file a key, named by the key's id."""
    master_dir: Path
    """Folder of the master Secret."""
    log_level: str = "info"
    """A level of the logging module, in any case."""
    host: str = "0.0.0.0"
    """Address that both ports are bound to."""
    client_port: int = Port.CLIENT
    """TCP port for clients; 0 takes a free one."""
    admin_port: int = Port.ADMIN
    """TCP port for probes and metrics; 0 takes a free one."""
    upstream_port: int = Port.CLIENT
    """TCP port of every account's gateway."""
    max_body_bytes: int = 32 * 2**20
    """Bytes of the longest request body that is accepted: a conversation with several pictures fits in."""
    connect_timeout_s: float = 5.0
    """Seconds for a TCP connection to an account's pod."""
    idle_timeout_s: float = 120.0
    """Seconds without a byte after an answer began, or without the client taking one: the stream is then aborted.
    Gateways send a comment every 15 s, so eight in a row were lost."""
    keepalive_s: float = 4.0
    """Seconds that an idle connection to a gateway is kept: less than the gateway's own 5 s (uvicorn's default), so
    that no request is written to a connection which the other end is closing."""
    cooldown_s: float = 5.0
    """Seconds during which an endpoint that could not be reached takes no new soft conversation."""
    load_factor: float = 1.25
    """An account may hold this many times the mean of requests in flight …"""
    load_slack: int = 4
    """… and this many more requests, before soft requests spill to the next account."""
    drain_s: float = 300.0
    """Seconds from the first SIGTERM until the streams that still run are aborted."""
    propagation_s: float = 5.0
    """Seconds from the first SIGTERM until the listening socket closes: kube-proxy needs them to hear of it."""
    keys_poll_s: float = 2.0
    """Seconds between two looks at the mounted Secrets."""
    watch_timeout_s: int = 300
    """Seconds after which the API server ends a watch, and the router starts the next one where it ended."""
    watch_silence_s: float = 90.0
    """Seconds without a byte on a watch (bookmarks come every minute) after which its connection counts as dead."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Settings":
        """The settings in `environ`.

        Raises:
            SettingsError: a variable is missing or wrong.
        """
        read = _Reader(environ)
        return cls(
            namespaces=_namespaces(environ),
            api_keys_dir=Path(read.text(Env.API_KEYS_DIR, names.Path.API_KEYS)),
            master_dir=Path(read.text(Env.MASTER_DIR, names.Path.MASTER)),
            log_level=read.level("LOG_LEVEL", cls.log_level),
            host=read.text("LINGMA_HOST", cls.host),
            client_port=read.integer("LINGMA_CLIENT_PORT", cls.client_port, 0, 65535),
            admin_port=read.integer("LINGMA_ADMIN_PORT", cls.admin_port, 0, 65535),
            upstream_port=read.integer("LINGMA_UPSTREAM_PORT", cls.upstream_port, 1, 65535),
            max_body_bytes=read.integer("MAX_BODY_BYTES", cls.max_body_bytes, 1024, 2**30),
            connect_timeout_s=read.seconds("LINGMA_CONNECT_TIMEOUT_SECONDS", cls.connect_timeout_s),
            idle_timeout_s=read.seconds("LINGMA_IDLE_TIMEOUT_SECONDS", cls.idle_timeout_s),
            keepalive_s=read.seconds("LINGMA_UPSTREAM_KEEPALIVE_SECONDS", cls.keepalive_s),
            cooldown_s=read.seconds("LINGMA_COOLDOWN_SECONDS", cls.cooldown_s),
            load_factor=read.number("LINGMA_LOAD_FACTOR", cls.load_factor, 1, 100),
            load_slack=read.integer("LINGMA_LOAD_SLACK", cls.load_slack, 0, 10_000),
            drain_s=read.seconds("LINGMA_DRAIN_SECONDS", cls.drain_s),
            propagation_s=read.seconds("LINGMA_DRAIN_PROPAGATION_SECONDS", cls.propagation_s),
            keys_poll_s=read.seconds("LINGMA_KEYS_POLL_SECONDS", cls.keys_poll_s),
            watch_timeout_s=read.integer("LINGMA_WATCH_TIMEOUT_SECONDS", cls.watch_timeout_s, 1, 3600),
            watch_silence_s=read.seconds("LINGMA_WATCH_SILENCE_SECONDS", cls.watch_silence_s),
        )


def _namespaces(environ: Mapping[str, str]) -> tuple[str, ...]:
    listed = tuple(dict.fromkeys(part.strip() for part in environ.get("LINGMA_WATCH_NAMESPACES", "").split(",")))
    wanted = tuple(name for name in listed if name)
    if ALL_NAMESPACES in wanted:
        return (ALL_NAMESPACES,)
    if wanted:
        return wanted
    own = environ.get("POD_NAMESPACE", "").strip()
    if not own:
        raise SettingsError("POD_NAMESPACE: must be set where LINGMA_WATCH_NAMESPACES is not")
    return (own,)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one variable at a time; an empty one counts as not set."""

    environ: Mapping[str, str]

    def text(self, variable: str, default: str) -> str:
        return self.environ.get(variable, "").strip() or default

    def level(self, variable: str, default: str) -> str:
        level = self.text(variable, default)
        if level.lower() not in ("debug", "info", "warning", "error", "critical"):
            raise SettingsError(f"{variable}: not one of debug, info, warning, error, critical")
        return level

    def integer(self, variable: str, default: int, low: int, high: int) -> int:
        return self._parsed(variable, default, int, "a whole number", low, high)

    def number(self, variable: str, default: float, low: float, high: float) -> float:
        return self._parsed(variable, default, float, "a number", low, high)

    def seconds(self, variable: str, default: float) -> float:
        return self._parsed(variable, default, float, "a number of seconds", 0, 86_400)

    def _parsed(
        self, variable: str, default: _T, parse: Callable[[str], _T], wanted: str, low: float, high: float
    ) -> _T:
        raw = self.environ.get(variable, "").strip()
        if not raw:
            return default
        try:
            value = parse(raw)
        except ValueError as error:
            raise SettingsError(f"{variable}: {raw!r} is not {wanted}") from error
        if not low <= value <= high:  # type: ignore[operator]  # int or float, by the callers above
            raise SettingsError(f"{variable}: {raw} is not between {low:g} and {high:g}")
        return value
