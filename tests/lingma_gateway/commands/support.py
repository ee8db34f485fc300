"""Runs `lingma-gateway` commands as users do, to their end."""

import os
import subprocess
import sys
from collections.abc import Mapping

PATIENCE_S = 30.0


def run(
    *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[bytes]":
    """The finished command, with what it printed."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "VIRTUAL_ENV") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "lingma_gateway", *arguments],
        env={**kept, **(environment or {})},
        input=stdin,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
