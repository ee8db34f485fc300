"""`kubectl` as a child process: objects in and out as parsed JSON, waits that end by an event and never by polling."""

import json
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from tests.cluster.access import Cluster
from tests.cluster.commands import Failure

Object = dict[str, Any]

FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


class KubectlFailed(Failure):
    """Carries what kubectl said. Nothing secret is ever among its arguments: objects go in by standard input."""

    def __init__(self, arguments: Sequence[str], said: str) -> None:
        super().__init__(f"kubectl {' '.join(arguments)}: {said.strip()}")
        self.said = said


class NotSeen(Failure):
    """The awaited thing did not happen in time; the message says what was seen last."""


@dataclass(frozen=True)
class Kube:
    """A cluster and the namespace that is meant where none is named."""

    cluster: Cluster
    namespace: str

    def within(self, namespace: str) -> "Kube":
        return replace(self, namespace=namespace)

    def environment(self) -> dict[str, str]:
        """A user's own KUBECONFIG may be a list of files, and stays as it is."""
        return {**os.environ, **({"KUBECONFIG": str(self.cluster.kubeconfig)} if self.cluster.owned else {})}

    def command(self, *arguments: str) -> list[str]:
        context = ["--context", self.cluster.context] if self.cluster.context else []
        return [str(self.cluster.kubectl), *context, "--namespace", self.namespace, *arguments]

    def run(self, *arguments: str, given: str | None = None) -> str:
        """What `kubectl …` prints.

        Raises:
            KubectlFailed: it ended with an error.
        """
        done = subprocess.run(
            self.command(*arguments), input=given or "", capture_output=True, text=True, env=self.environment()
        )
        if done.returncode != 0:
            raise KubectlFailed(arguments, done.stderr or done.stdout)
        return done.stdout

    def attempt(self, *arguments: str) -> str:
        """As `run`, for what only explains something else: an error is an answer too."""
        try:
            return self.run(*arguments)
        except KubectlFailed as error:
            return error.said

    def apply(self, *objects: Object) -> str:
        return self.run("apply", "--filename", "-", given=json.dumps(as_list(objects)))

    def get(self, kind: str, name: str) -> Object | None:
        found = self.run("get", kind, name, "--ignore-not-found", "--output", "json")
        return parsed(found) if found else None

    def list(self, kind: str, *arguments: str) -> list[Object]:
        items = parsed(self.run("get", kind, *arguments, "--output", "json"))["items"]
        return list(items)

    def wait(self, condition: str, *what: str, seconds: int = 120) -> str:
        return self.run("wait", f"--for={condition}", *what, f"--timeout={seconds}s")

    def watch(self, kind: str, name: str, accept: Callable[[str, Object], bool], seconds: float = 60) -> Object:
        """The first state of the object, now or later, that `accept(event type, object)` takes.

        Raises:
            NotSeen: none came in time.
        """
        return self.watch_all(kind, accept, seconds, "--field-selector", f"metadata.name={name}")

    def watch_all(self, kind: str, accept: Callable[[str, Object], bool], seconds: float, *selection: str) -> Object:
        """As `watch`, over every object of the selection, those that come later too."""
        arguments = ("get", kind, *selection, "--watch", "--output-watch-events", "--output", "json")
        last: Object = {}
        with self._lines(*arguments, seconds=seconds) as lines:
            for event in watch_events(lines):
                last = dict(event["object"])
                if accept(event["type"], last):
                    return last
        raise NotSeen(
            f"kubectl {' '.join(arguments)}: not within {seconds:.0f} s, last seen: {json.dumps(last)[:2000]}"
        )

    def follow(self, *arguments: str, accept: Callable[[str], bool], seconds: float = 60) -> str:
        """The first line of `kubectl logs --follow …` that `accept` takes.

        Raises:
            NotSeen: none came in time.
        """
        with self._lines("logs", "--follow", *arguments, seconds=seconds) as lines:
            for line in lines:
                if accept(line):
                    return line
        raise NotSeen(f"no such line in kubectl logs {' '.join(arguments)} within {seconds:.0f} s")

    @contextmanager
    def forward(self, target: str, port: int) -> Iterator[str]:
        """A base URL that leads to that port of `pod/…` or `service/…`, for as long as the context is open."""
        with self._lines("port-forward", target, f":{port}", "--address", "127.0.0.1", seconds=None) as lines:
            for line in lines:
                if match := FORWARDING.search(line):
                    yield f"http://127.0.0.1:{match[1]}"
                    return
        raise NotSeen(f"kubectl port-forward {target} {port} ended without forwarding")

    @contextmanager
    def service(self, name: str, port: int) -> Iterator[str]:
        """A base URL of a Service as seen from this machine. Our own cluster's addresses are routed here."""
        found = self.get("service", name)
        if found is not None and self.cluster.owned:
            yield f"http://{found['spec']['clusterIP']}" + (f":{port}" if port != 80 else "")
            return
        with self.forward(f"service/{name}", port) as url:
            yield url

    @contextmanager
    def _lines(self, *arguments: str, seconds: float | None) -> Iterator[Iterator[str]]:
        """The lines of a kubectl that goes on, ended after `seconds` or with the context."""
        process = subprocess.Popen(
            self.command(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment(),
        )
        limit = threading.Timer(seconds, process.terminate) if seconds else None
        if limit:
            limit.start()
        assert process.stdout is not None
        try:
            yield iter(process.stdout)
        finally:
            if limit:
                limit.cancel()
            process.terminate()
            process.stdout.close()
            process.wait()


def parsed(text: str) -> Object:
    found = json.loads(text)
    assert isinstance(found, dict)
    return found


def as_list(objects: Sequence[Object]) -> Object:
    return {"apiVersion": "v1", "kind": "List", "items": list(objects)}


def watch_events(lines: Iterator[str]) -> Iterator[Object]:
    """What `--output-watch-events` prints: an event a line. Other lines are kubectl's warnings."""
    return (parsed(line) for line in lines if line.startswith("{"))


def condition(account: Object, kind: str) -> Object | None:
    """The condition of that type of an object."""
    return next((each for each in account.get("status", {}).get("conditions", []) if each["type"] == kind), None)


def holds(account: Object, kind: str, status: str = "True", *, generation: bool = True) -> bool:
    """Whether the condition has that status and, where `generation` counts, is about the object's present one."""
    found = condition(account, kind)
    return (
        found is not None
        and found["status"] == status
        and (not generation or found.get("observedGeneration") == account["metadata"]["generation"])
    )
