"""`python -m demo up|down [--context NAME]`: accounts, a chat and how to go on, on a real Kubernetes."""

import argparse
import json
import shlex
import shutil
import sys
import textwrap
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from demo import accounts
from demo.chat import Answer, ChatFailed, Curl, Message
from demo.kube import Kube, Object, holds
from demo.release import CRD, Release, namespace, simulated
from lingma_contract.names import Component, Container, Header, Label, children_name
from tests.cluster import access, binaries, engines, images
from tests.cluster.commands import Failure
from tests.cluster.layout import Layout
from tests.cluster.node import Node
from tests.cluster.report import Report, span

NAMESPACE = "lingma"
MARK = "lingma.dev/demo"
PEOPLE = ("alice", "bob")
SERVICE, PORT = "lingma", 80
ACCOUNT_PODS = f"{Label.COMPONENT}={Component.ACCOUNT}"
SHARING = ("docker-desktop", "rancher-desktop", "orbstack", "colima")
"""Contexts of clusters that run on the images of this machine's docker."""
FILES = Path("build") / "demo"

FIRST = """My favourite tree is the maple.
@sim tool read_file {"path": "trees.md"}
@sim chunks 12
@sim delay 60
@sim say Noted: the maple. You are talking to the simulated account
@sim whoami"""
SECOND = """Which tree was it?
@sim say The maple, as you said. Still the same account:
@sim whoami"""


class Refused(Failure):
    """The demo would touch what is not its own."""


@dataclass(frozen=True)
class Demo:
    """One run; what it does is safe to repeat."""

    kube: Kube
    report: Report
    registry: str
    """Where a cluster of the user's gets the images from; empty: they are loaded into it."""

    def up(self) -> None:
        release = self._installed()
        self._accounts_ready(release.values["image"]["gateway"]["tag"])
        self._show_accounts()
        with ExitStack() as open_:
            url = open_.enter_context(self.kube.service(SERVICE, PORT))
            curl = Curl(url, FILES)
            with self.report.step(f"API key of Secret {release.name}-api-keys: kept in {curl.key_file}"):
                curl.keep_key(release.api_key())
            self._converse(curl)
        self._show_tool_event()
        self._say_how_to_go_on(curl)

    def _installed(self) -> Release:
        with self.report.step("images: gateway and operator"):
            references = self._images()
        release = Release(self.kube, simulated(references))
        with self.report.step(f"helm upgrade --install {release.name} --namespace {NAMESPACE}"):
            self.kube.apply(namespace(NAMESPACE, **{MARK: "true"}))
            changed = release.install()
            release.ready()
        self.report.line(f"release {'installed' if changed else 'unchanged'}: revision {release.revision()}")
        return release

    def _images(self) -> list[str]:
        """References of the images, which the cluster has or can pull."""
        cluster = self.kube.cluster
        if self.registry:
            references = images.build(images.PROGRAMS, images.Repository(self.registry), self.report)
            for reference in references:
                engines.choose().push(reference)
            return references
        context = cluster.context or ""
        if not cluster.owned and access.load_command(context, "") is None and not context.startswith(SHARING):
            raise Refused(
                f"how to bring images into the cluster of context {context} is not known here: name a registry that it"
                " pulls from, `make demo KUBE_CONTEXT=... REGISTRY=host/path`"
            )
        references = images.build(images.PROGRAMS, report=self.report)
        for reference in references:
            cluster.load(reference, self.report)
        return references

    def _accounts_ready(self, tag: str) -> None:
        with self.report.step(f"accounts: {' and '.join(PEOPLE)} from simulated session bundles"):
            # A new bundle would be a new login and roll the pod: what is there stays.
            missing = [name for name in PEOPLE if self.kube.get("secret", accounts.secret_name(name)) is None]
            secrets = [accounts.secret(name, accounts.bundle(name)) for name in missing]
            for line in self.kube.apply(*secrets, *map(accounts.account, PEOPLE)).splitlines():
                self.report.line(f"  {line}")
        with self.report.step("kubectl wait --for=condition=Ready lingmaaccounts --all"):
            for name in PEOPLE:
                # After an upgrade the accounts stay ready until their pods are replaced.
                self.kube.watch("pods", f"{children_name(name)}-0", lambda _, pod: _runs(pod, tag), seconds=180)
                self.kube.watch("lingmaaccounts", name, lambda _, account: holds(account, "Ready"), seconds=180)

    def _show_accounts(self) -> None:
        _print("", "$ kubectl get lingmaaccounts", self.kube.run("get", "lingmaaccounts").rstrip(), "")

    def _converse(self, curl: Curl) -> None:
        conversation: list[Message] = [_user(FIRST)]
        first = self._ask(curl, "A streamed chat through the routing Service", conversation)
        conversation += [{"role": "assistant", "content": first.text}, _user(SECOND)]
        second = self._ask(curl, "The same conversation goes on", conversation)
        served = [answer.headers.get(Header.ACCOUNT) for answer in (first, second)]
        if served[0] is None or served[0] != served[1]:
            raise ChatFailed(f"the conversation moved from account {served[0]} to {served[1]}")

    def _ask(self, curl: Curl, title: str, conversation: Sequence[Message]) -> Answer:
        _print("", f"{title}. The question:", textwrap.indent(conversation[-1]["content"], "    "))
        _print("", f"$ {shlex.join(curl.command())}", "")
        began = time.monotonic()
        answer = curl.stream(conversation, lambda piece: print(piece, end="", flush=True))
        _print("", "", f"{Header.ACCOUNT}: {answer.headers.get(Header.ACCOUNT, 'not said')}", "")
        self.report.line(f"answered in {span(time.monotonic() - began)}")
        return answer

    def _show_tool_event(self) -> None:
        lines = self.kube.run("logs", "-l", ACCOUNT_PODS, "-c", Container.GATEWAY, "--tail=-1")
        events = [line for line in lines.splitlines() if _is_tool_event(line)]
        _print("The last tool event that Lingma reported", events[-1] if events else "(none)", "")

    def _say_how_to_go_on(self, curl: Curl) -> None:
        cluster = self.kube.cluster
        kubectl = f"{cluster.kubectl} -n {NAMESPACE}"
        if cluster.owned:
            reach, url = [f"export KUBECONFIG={cluster.kubeconfig}"], curl.url
        else:
            reach = [
                f"kubectl config use-context {cluster.context}",
                f"{kubectl} port-forward service/{SERVICE} 8317:{PORT}",
            ]
            url = "http://127.0.0.1:8317"
        follow = f"{kubectl} logs -l {ACCOUNT_PODS} -c {Container.GATEWAY} --tail=-1 -f --max-log-requests=50"
        steps = {
            "To look around:": [
                *reach,
                f"{kubectl} get lingmaaccounts",
                f"curl -H @{curl.key_file} {url}/v1/models",
            ],
            "To follow tool events:": [f"{follow} | jq -R 'fromjson? | select(.event==\"tool\")'"],
            "To tear down:": [f"make demo-down{f' KUBE_CONTEXT={cluster.context}' if cluster.context else ''}"],
        }
        for title, commands in steps.items():
            _print(title, *(f"  {command}" for command in commands))


def down(kube: Kube, report: Report) -> None:
    """Remove what the demo made: of a user's cluster its namespace, else the whole cluster of our own."""
    found = kube.get("namespace", NAMESPACE)
    if found is None:
        report.line(f"there is no namespace {NAMESPACE}")
    elif MARK not in found["metadata"]["labels"]:
        raise Refused(f"namespace {NAMESPACE} was not made by the demo: remove it yourself")
    else:
        with report.step(f"accounts, release and namespace {NAMESPACE}"):
            kube.run("delete", "lingmaaccounts", "--all", "--ignore-not-found")
            Release(kube, {}).remove()
            kube.run("delete", "namespace", NAMESPACE, "--timeout=3m")
    report.line(f"kept, since other releases may use it: kubectl delete crd {CRD}")


def _check_own(kube: Kube) -> None:
    found = kube.get("namespace", NAMESPACE)
    if found is not None and MARK not in found["metadata"].get("labels", {}):
        raise Refused(
            f"namespace {NAMESPACE} of this cluster was not made by the demo, which would change what is in it; "
            "name another cluster with KUBE_CONTEXT, or remove the namespace"
        )


def _runs(pod: Object, tag: str) -> bool:
    """Whether the pod's gateway is of that tag, and ready."""
    images_ = {each["name"]: each["image"] for each in pod["spec"]["containers"]}
    return str(images_[Container.GATEWAY]).endswith(f":{tag}") and holds(pod, "Ready", generation=False)


def _is_tool_event(line: str) -> bool:
    try:
        return bool(json.loads(line).get("event") == "tool")
    except (json.JSONDecodeError, AttributeError):
        return False


def _user(text: str) -> Message:
    return {"role": "user", "content": text}


def _print(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m demo", description="The whole path on a real Kubernetes.")
    parser.add_argument("action", choices=["up", "down"])
    parser.add_argument("--context", default="", help="a kubectl context of yours, instead of a cluster of our own")
    parser.add_argument("--registry", default="", help="where that cluster pulls images from; they are pushed there")
    options = parser.parse_args(arguments)
    try:
        run(options.action, options.context or None, options.registry)
    except Failure as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def run(action: str, context: str | None, registry: str) -> None:
    report = Report()
    if action == "down" and not context:
        shutil.rmtree(FILES, ignore_errors=True)
        Node(Layout(), binaries.default(), report).down()
        return
    with report.step(f"cluster: {context or 'our own'}"):
        kube = Kube(access.obtain(context), NAMESPACE)
    if action == "up":
        _check_own(kube)
        Demo(kube, report, registry).up()
    else:
        shutil.rmtree(FILES, ignore_errors=True)
        down(kube, report)


if __name__ == "__main__":
    raise SystemExit(main())
