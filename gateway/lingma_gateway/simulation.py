"""`serve --simulate`: the whole gateway with simulated accounts, for a first look and for a user's own tests."""

import asyncio
import shlex
import sys
from pathlib import Path

from lingma_gateway.runtime import ConfigurationError
from lingma_gateway.settings import Settings

API_KEY = "sk-simulated"
"""Used where API_KEYS is not set: there is nothing behind it to protect."""
_COMMAND = (sys.executable, "-m", "lingma_sim")
_NAMES = ("alice", "bob", "carol", "dave")


def account_names(count: int) -> list[str]:
    """Names for `count` simulated accounts.

    Raises:
        ConfigurationError: fewer than 1 or more than 64.
    """
    if not 1 <= count <= 64:
        raise ConfigurationError("--simulate takes 1 to 64 accounts")
    return [*_NAMES[:count], *(f"account-{number}" for number in range(len(_NAMES) + 1, count + 1))]


async def prepare(settings: Settings, base: Path, names: list[str]) -> Settings:
    """Settings under which `names` are simulated accounts, logged in, with work directories in `base`."""
    for name in names:
        work_dir = base if len(names) == 1 else base / name
        await _run(*_COMMAND, "login", "--workDir", str(work_dir), "--uid", name)
    return settings.model_copy(update={"lingma_bin": _COMMAND, "lingma_work_dir": base, "lingma_socket_port": 0})


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL)
    if await process.wait() != 0:
        raise ConfigurationError(f"{shlex.join(command)} failed")


def greeting(port: int, names: list[str]) -> str:
    """What a person reads first."""
    return f"""
{len(names)} simulated account(s): {", ".join(names)}. Try:

  curl -N http://127.0.0.1:{port}/v1/chat/completions -H 'Authorization: Bearer {API_KEY}' \\
    -H 'Content-Type: application/json' \\
    -d '{{"model": "org_auto", "stream": true, "messages": [{{"role": "user", "content": "Hello"}}]}}'
"""
