"""The settings as text, made from their model: `.env.example`, and the table of docs/gateway.md. Pure."""

from collections.abc import Iterator

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from lingma_gateway.settings import Settings

_GROUPS = {
    "host": "Where it listens, what it logs",
    "api_keys": "Who may call",
    "lingma_account": "From the pod: set by the operator",
    "lingma_bin": "Lingma on this machine",
    "auto_login_enabled": "Logging in by itself",
    "first_event_timeout": "Turns and models",
    "session_reuse_enabled": "Sessions of Lingma's that are kept",
    "gateway_max_in_flight": "Limits",
    "responses_store_enabled": "Stored responses",
    "lingma_drain_seconds": "Ending",
}
"""The heading of each group, by its first field: groups follow the order of the fields."""
_FROM_THE_POD = frozenset(
    {"lingma_account", "lingma_account_namespace", "lingma_account_uid", "lingma_credentials_dir", "admin_port"}
)
"""Without meaning on a machine of one's own."""
_WIDTH = 110

TABLE_BEGIN = "<!-- settings: made by `make settings` -->"
TABLE_END = "<!-- /settings -->"


def _groups() -> Iterator[tuple[str, dict[str, FieldInfo]]]:
    heading, fields = "", dict[str, FieldInfo]()
    for name, field in Settings.model_fields.items():
        if name in _GROUPS:
            if fields:
                yield heading, fields
            heading, fields = _GROUPS[name], {}
        fields[name] = field
    yield heading, fields


def default_text(field: FieldInfo) -> str:
    """The default as one writes it into a variable; empty where there is none."""
    value = field.default
    if value is None or isinstance(value, SecretStr):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return " ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _meaning(field: FieldInfo) -> str:
    return " ".join((field.description or "").split())


def env_example() -> str:
    """`.env.example`: each setting with its meaning and its default, all of them comments."""
    lines = [
        "# Settings of a gateway on your own machine (`lingma-gateway serve`, compose.yaml). Copy this file to `.env`.",
        "# Each line shows the default. Times are in seconds. Made by `make settings`; do not edit it here.",
        "# Values with a space, `#` or `$` need single quotes.",
    ]
    for heading, fields in _groups():
        shown = {name: field for name, field in fields.items() if name not in _FROM_THE_POD}
        if shown:
            lines += ["", f"# ---- {heading} ----"]
        for name, field in shown.items():
            lines += ["", *_wrapped(_meaning(field)), f"#{name.upper()}={default_text(field)}"]
    return "\n".join(lines) + "\n"


def _wrapped(text: str) -> list[str]:
    lines = ["#"]
    for word in text.split():
        if len(lines[-1]) + 1 + len(word) > _WIDTH:
            lines.append("#")
        lines[-1] += f" {word}"
    return lines


def table() -> str:
    """The tables of docs/gateway.md, one a group."""
    parts = []
    for heading, fields in _groups():
        rows = [f"**{heading}**", "", "| variable | default | meaning |", "|---|---|---|"]
        for name, field in fields.items():
            default = default_text(field).replace("|", "\\|")
            shown = f"`{default}`" if default else ""
            rows.append(f"| `{name.upper()}` | {shown} | {_meaning(field).replace('|', chr(92) + '|')} |")
        parts.append("\n".join(rows))
    return "\n\n".join(parts)


def with_table(page: str) -> str:
    """The page with its tables made anew.

    Raises:
        ValueError: it has no place for them.
    """
    before, begin, rest = page.partition(TABLE_BEGIN)
    _, end, after = rest.partition(TABLE_END)
    if not begin or not end:
        raise ValueError("the page has no place for the settings")
    return f"{before}{TABLE_BEGIN}\n\n{table()}\n\n{TABLE_END}{after}"
