"""Chats by `curl`, as a person would: the API key is in a file that curl reads, never among its arguments."""

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.commands import Failure

Message = dict[str, str]


class ChatFailed(Failure):
    """Carries what curl or the router said."""


@dataclass(frozen=True)
class Answer:
    text: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Curl:
    """A routing Service, and the folder of the files that curl reads and writes."""

    url: str
    folder: Path

    @property
    def key_file(self) -> Path:
        """Holds the `Authorization` header."""
        return self.folder / "authorization"

    @property
    def body_file(self) -> Path:
        return self.folder / "chat.json"

    @property
    def answer_headers(self) -> Path:
        return self.folder / "answer-headers"

    def command(self) -> list[str]:
        """What a person would type."""
        header = ["-H", f"@{self.key_file}", "-H", "Content-Type: application/json"]
        return ["curl", "-N", *header, "-d", f"@{self.body_file}", f"{self.url}/v1/chat/completions"]

    def keep_key(self, key: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.key_file.unlink(missing_ok=True)
        with os.fdopen(os.open(self.key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"Authorization: Bearer {key}\n")

    def stream(self, messages: Sequence[Message], say: Callable[[str], None]) -> Answer:
        """Send the conversation, give `say` each piece of the answer as it comes.

        Raises:
            ChatFailed: there was no answer, or it did not end.
        """
        self.body_file.write_text(json.dumps(request(messages), indent=2, ensure_ascii=False))
        quietly = ["--silent", "--show-error", "--fail-with-body", "--dump-header", str(self.answer_headers)]
        pieces, raw = [], []
        with subprocess.Popen(
            [*self.command(), *quietly], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout
            for line in process.stdout:
                raw.append(line)
                if piece := _delta(line):
                    pieces.append(piece)
                    say(piece)
        if process.returncode != 0 or "data: [DONE]\n" not in raw:
            raise ChatFailed("".join(raw)[-2000:].strip())
        return Answer("".join(pieces), _headers(self.answer_headers.read_text()))


def request(messages: Sequence[Message]) -> dict[str, Any]:
    return {"model": "auto", "stream": True, "messages": list(messages)}


def _delta(line: str) -> str:
    """The piece of answer in a line of the stream; empty when it holds none."""
    data = line.removeprefix("data:").strip()
    if not line.startswith("data:") or data == "[DONE]":
        return ""
    choices = json.loads(data).get("choices") or [{}]
    return str(choices[0].get("delta", {}).get("content") or "")


def _headers(dump: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in dump.splitlines() if ":" in line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
