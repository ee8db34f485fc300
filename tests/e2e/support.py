"""The installed release as the end-to-end tests use it: accounts come and go, chats go through the Service."""

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import openai

from demo import accounts
from demo.kube import Kube, KubectlFailed, Object, holds
from demo.release import Release
from lingma_contract.names import Component, Container, Header, Label, children_name

ACCOUNT_PODS = f"{Label.COMPONENT}={Component.ACCOUNT}"
OWNED_KINDS = "statefulsets,services,endpointslices,secrets,networkpolicies,serviceaccounts,pods"
READY_SECONDS = 120
SOFT_KEYS = 64
"""Soft keys tried to reach one account: that none hits one account of four has a chance of one in 10^8."""

Message = dict[str, str]


@dataclass(frozen=True)
class Reply:
    text: str
    account: str
    headers: dict[str, str]


@dataclass
class Evidence:
    """What pods logged before they went away: secrecy is judged over all of it, and failures are explained by it."""

    logs: dict[str, str] = field(default_factory=dict)

    def collect(self, kube: Kube, *selection: str) -> None:
        for pod in kube.list("pods", *selection):
            name = pod["metadata"]["name"]
            spec = pod["spec"]
            for container in (*spec.get("initContainers", []), *spec["containers"]):
                for which in ("--previous=false", "--previous=true"):
                    key = f"{name}/{pod['metadata']['uid']}/{container['name']}/{which}"
                    try:
                        self.logs[key] = kube.run("logs", name, "-c", container["name"], which)
                    except KubectlFailed as error:  # not started yet, or never restarted
                        self.logs.setdefault(key, error.said)


@dataclass(frozen=True)
class Lingma:
    """The release, its Service as seen from here, and the API key."""

    kube: Kube
    release: Release
    url: str
    api_key: str
    evidence: Evidence

    def client(self, **settings: Any) -> openai.OpenAI:
        return openai.OpenAI(
            base_url=f"{self.url}/v1", **{"api_key": self.api_key, "max_retries": 0, "timeout": 30.0, **settings}
        )

    def chat(self, messages: Sequence[Message] | str, **headers: str) -> Reply:
        """One answer, not streamed, by the official SDK."""
        sent: Any = [{"role": "user", "content": messages}] if isinstance(messages, str) else list(messages)
        with self.client() as client:
            raw = client.chat.completions.with_raw_response.create(model="auto", messages=sent, extra_headers=headers)
            text = raw.parse().choices[0].message.content
        return Reply(text or "", raw.headers[Header.ACCOUNT], dict(raw.headers))

    def stream(self, messages: Sequence[Message] | str) -> Iterator[str]:
        """The pieces of a streamed answer as they come."""
        sent: Any = [{"role": "user", "content": messages}] if isinstance(messages, str) else list(messages)
        with (
            self.client() as client,
            client.chat.completions.create(model="auto", messages=sent, stream=True) as stream,
        ):
            yield from (chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)

    def chat_with(self, account: str, prompt: str) -> Reply:
        """An answer of that account: a soft affinity key that leads to it is looked for first."""
        for number in range(SOFT_KEYS):
            key = f"e2e-{number}"
            if self.chat("who answers?", **{Header.AFFINITY: key}).account == account:
                return self.chat(prompt, **{Header.AFFINITY: key})
        raise AssertionError(f"no key out of {SOFT_KEYS} leads to {account}")

    def account_ready(self, name: str, seconds: float = READY_SECONDS) -> Object:
        return self.kube.watch("lingmaaccounts", name, lambda _, seen: holds(seen, "Ready"), seconds)

    def account_when(self, name: str, accept: Callable[[Object], bool], seconds: float = 60) -> Object:
        return self.kube.watch("lingmaaccounts", name, lambda _, seen: accept(seen), seconds)

    def owned_by(self, account: str) -> list[str]:
        """Names of the objects that the account consists of."""
        return self.kube.run("get", OWNED_KINDS, "-l", f"{Label.ACCOUNT}={account}", "--output", "name").split()

    @contextmanager
    def account(self, name: str, uid: str | None = None, **spec: Any) -> Iterator[str]:
        """An account that is gone, with all its objects, at the end. Without `uid` it has no session Secret."""
        objects = [accounts.account(name, **{"drainSeconds": 5, **spec})]
        if uid is not None:
            objects.insert(0, accounts.secret(name, accounts.bundle(uid)))
        self.kube.apply(*objects)
        try:
            yield name
        finally:
            self.evidence.collect(self.kube, "-l", f"{Label.ACCOUNT}={name}")
            self.delete_account(name)
            self.kube.run("delete", "secret", accounts.secret_name(name), "--ignore-not-found")

    def delete_account(self, name: str) -> None:
        self.kube.run("delete", "lingmaaccount", name, "--ignore-not-found", "--timeout=60s")
        self.kube.wait("delete", OWNED_KINDS, "-l", f"{Label.ACCOUNT}={name}", seconds=90)

    def create_unchecked(self, item: Object) -> None:
        """Without kubectl's own validation: what is refused, the API server refuses."""
        self.kube.run("create", "--validate=ignore", "--filename", "-", given=json.dumps(item))

    def statefulset(self, account: str) -> Object:
        found = self.kube.get("statefulset", children_name(account))
        assert found is not None, f"account {account} has no StatefulSet"
        return found

    def secret(self, name: str) -> Object:
        found = self.kube.get("secret", name)
        assert found is not None, f"there is no Secret {name}"
        return found

    def pod(self, account: str) -> Object:
        found = self.kube.get("pod", f"{children_name(account)}-0")
        assert found is not None, f"account {account} has no pod"
        return found

    def wait_restarts(self, account: str, at_least: int) -> Object:
        """Until the Lingma container has been restarted so often."""
        return self.kube.watch(
            "pods", f"{children_name(account)}-0", lambda _, pod: lingma_restarts(pod) >= at_least, seconds=60
        )

    def kill_lingma(self, account: str) -> None:
        """By SIGTERM from inside: pid 1 of a container takes only signals that it handles, as this one."""
        script = "import os, signal; os.kill(1, signal.SIGTERM)"
        self.kube.run("exec", f"{children_name(account)}-0", "-c", Container.LINGMA, "--", "python3", "-c", script)

    def event_about(self, account: str, accept: Callable[[Object], bool], seconds: float = 60) -> Object:
        """The first Event about the account that `accept` takes."""
        selector = f"involvedObject.kind=LingmaAccount,involvedObject.name={account}"
        return self.kube.watch_all("events", lambda _, event: accept(event), seconds, "--field-selector", selector)


def lingma_restarts(pod: Object) -> int:
    statuses = pod.get("status", {}).get("initContainerStatuses", [])
    return sum(each["restartCount"] for each in statuses if each["name"] == Container.LINGMA)


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def assistant(text: str) -> Message:
    return {"role": "assistant", "content": text}


def tool_event(line: str) -> dict[str, Any] | None:
    """The tool event in a line of a gateway's log."""
    try:
        found = json.loads(line)
    except json.JSONDecodeError:
        return None
    return found if isinstance(found, dict) and found.get("event") == "tool" else None


def planted(kube: Kube) -> dict[str, str]:
    """Every value of every Secret of the namespace that is too long to occur by chance, as text and as base64."""
    found = {}
    for secret in kube.list("secrets"):
        if secret["type"] != "Opaque":
            continue
        for key, encoded in secret.get("data", {}).items():
            where = f"{secret['metadata']['name']}/{key}"
            found[f"{where} (base64)"] = encoded
            plain = base64.b64decode(encoded)
            if plain.isascii():
                found |= {f"{where} line {number}": line for number, line in enumerate(plain.decode().split())}
    return {where: value for where, value in found.items() if len(value) >= 16}
