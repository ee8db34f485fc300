"""When a login is refreshed before it ends. Pure."""

from dataclasses import dataclass

from lingma_gateway.login.state import Tokens

_LEAST_S = 60.0
_MOST_S = 3600.0


@dataclass(frozen=True, slots=True)
class RefreshPolicy:
    """Times in seconds."""

    enabled: bool
    before_s: float
    """How long before the end a refresh is due."""


def is_due(policy: RefreshPolicy, tokens: Tokens | None, last_try_s: float | None, now_s: float) -> bool:
    """Whether to refresh now. Tries keep a distance of half of what is left, between a minute and an hour."""
    if not policy.enabled or tokens is None:
        return False
    left_s = tokens.left_s(now_s)
    if left_s <= 0 or left_s > policy.before_s:
        return False
    return last_try_s is None or now_s - last_try_s >= min(max(left_s / 2, _LEAST_S), _MOST_S)
