"""Chats by `curl`, as a person would: the API key is in a file that curl reads, never among its arguments."""

import json
import shlex
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Message = dict[str, str]


class ChatFailed(Exception):
    """Carries what curl or the router said."""


@dataclass(frozen=True)
class Answer:
    text: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Curl:
    """A routing Service and the file with the `Authorization` header of its API key."""

    url: str
    header_file: Path

    def command(self, dump: str = "-") -> list[str]:
        return [
            "curl",
            "--silent",
            "--show-error",
            "--no-buffer",
            "--fail-with-body",
            "--header",
            f"@{self.header_file}",
            "--header",
            "Content-Type: application/json",
            "--data",
            "@-",
            "--dump-header",
            dump,
            f"{self.url}/v1/chat/completions",
        ]

    def shown(self, body: dict[str, Any]) -> str:
        """The same for a person to paste."""
        parts = [
            "curl -N",
            f"-H @{shlex.quote(str(self.header_file))}",
            "-H 'Content-Type: application/json'",
            f"-d {shlex.quote(json.dumps(body, ensure_ascii=False))}",
            f"{self.url}/v1/chat/completions",
        ]
        return " ".join(parts)

    def stream(self, messages: Sequence[Message], say: Callable[[str], None]) -> Answer:
        """Send the conversation, give `say` each piece of the answer as it comes.

        Raises:
            ChatFailed: there was no answer, or it did not end.
        """
        dump = self.header_file.with_suffix(".answer")
        process = subprocess.Popen(
            self.command(str(dump)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdin and process.stdout and process.stderr
        with process:
            process.stdin.write(json.dumps(request(messages)))
            process.stdin.close()
            pieces, raw, ended = [], [], False
            for line in process.stdout:
                raw.append(line)
                data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
                ended = ended or data == "[DONE]"
                if piece := _delta(data):
                    pieces.append(piece)
                    say(piece)
            said = process.stderr.read()
        if process.returncode != 0 or not ended:
            raise ChatFailed(f"{said.strip()} {''.join(raw)[-1000:]}".strip())
        return Answer("".join(pieces), _headers(dump.read_text()))


def request(messages: Sequence[Message]) -> dict[str, Any]:
    return {"model": "auto", "stream": True, "messages": list(messages)}


def _delta(data: str) -> str:
    if not data or data == "[DONE]":
        return ""
    choices = json.loads(data).get("choices") or [{}]
    return str(choices[0].get("delta", {}).get("content") or "")


def _headers(dump: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in dump.splitlines() if ":" in line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
