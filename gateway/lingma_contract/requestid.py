"""The id that follows one request through router, gateway, log lines and errors."""

import re
import secrets

_SAFE = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


def accept(value: str | None) -> str:
    """The caller's id when it is safe to log and at most 128 characters, else a new one (`req-` and 12 hex digits)."""
    if value is not None and _SAFE.fullmatch(value):
        return value
    return f"req-{secrets.token_hex(6)}"
