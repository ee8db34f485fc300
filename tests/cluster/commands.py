"""Runs another program to its end; a failure carries the command and the end of what it said."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

SAID_CHARACTERS = 2000


class Failure(Exception):
    """Something outside refused or is missing. Each kind names it; every message says what to look at."""


def attempt(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Whatever the outcome; a program that is not there counts as one that failed."""
    try:
        return subprocess.run(command, input=stdin, capture_output=True, text=True, env=env)
    except FileNotFoundError:
        return subprocess.CompletedProcess(command, 127, "", f"there is no {command[0]}")


def run(command: Sequence[str], failure: type[Exception], *, env: Mapping[str, str] | None = None) -> str:
    """What it printed."""
    done = attempt(command, env=env)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-SAID_CHARACTERS:]
        raise failure(f"{' '.join(command)}: {said}")
    return done.stdout
