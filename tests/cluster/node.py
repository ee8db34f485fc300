"""Brings the node up from whatever state it is in, and says how it is.

What other clusters have and this one has not: NetworkPolicies are accepted and not enforced, nothing provisions volumes
for claims, no image is ever pulled, and nothing outside the machine can be reached from a pod.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from tests.cluster import cgroups, configuration, files, network, packages, pause, teardown
from tests.cluster.binaries import Binaries
from tests.cluster.commands import Failure, attempt
from tests.cluster.components import Component, components, environment
from tests.cluster.layout import NODE, Layout
from tests.cluster.processes import Processes, tail
from tests.cluster.report import Report, span
from tests.cluster.tasks import Task, run_all

START_SECONDS = 90.0  # to be healthy after a start; the slowest takes three on an idle machine
RECOVER_SECONDS = 15.0  # for one that still runs to find what it had lost
POLL_SECONDS = 0.05
NODE_READY_SECONDS = 120


class StartFailed(Failure):
    """Names the component, what is wrong with it, and the end of its log."""


@dataclass(frozen=True)
class State:
    name: str
    healthy: bool
    said: str


class Node:
    """One node, in one place on the machine."""

    def __init__(self, layout: Layout, binaries: Binaries, report: Report) -> None:
        self.layout = layout
        self.binaries = binaries
        self.report = report
        self._processes = Processes(layout.processes, layout.logs)
        self._components = components(layout, binaries)

    def up(self) -> None:
        """Nothing when all is well; else what is missing, else everything anew."""
        with ThreadPoolExecutor(max_workers=2) as pool:
            built = [
                pool.submit(packages.ensure, packages.NODE, self.report),
                pool.submit(self.binaries.build, self.report),
            ]
            for future in built:
                future.result()
        with self._locked():
            if not self._reusable():
                if teardown.present(self.layout):
                    teardown.remove(self.layout, self.report)
                self._start()
                return
            if all(state.healthy for state in self.states()):
                self.report.line("the cluster is up")
                return
            try:
                self._start()
            except (Failure, OSError) as error:
                self.report.line(f"it can not be repaired ({error}): building it anew")
                teardown.remove(self.layout, self.report)
                self._start()

    def down(self) -> None:
        with self._locked():
            if teardown.present(self.layout):
                teardown.remove(self.layout, self.report)
            self.layout.lock.unlink(missing_ok=True)

    def states(self) -> list[State]:
        """Each component, then the node as the apiserver sees it."""
        with ThreadPoolExecutor(max_workers=len(self._components) + 1) as pool:
            looked = [pool.submit(self._state, component) for component in self._components]
            node = pool.submit(self._node_state)
            return [State("network", *self._network_state())] + [future.result() for future in looked] + [node.result()]

    def _state(self, component: Component) -> State:
        identity = self._processes.identity(component.name)
        if identity is None:
            return State(component.name, False, "not running")
        wrong = component.probe()
        said = f"healthy, pid {identity.pid}" if wrong is None else f"pid {identity.pid}: {wrong}"
        return State(component.name, wrong is None, said)

    def _network_state(self) -> tuple[bool, str]:
        there = network.exists(self.layout.network)
        return there, f"node {self.layout.network.node}" if there else "not there, or incomplete"

    def _node_state(self) -> State:
        done = self._kubectl("get", "node", NODE, "--output=json", "--request-timeout=3s")
        if done.returncode != 0:
            said = done.stderr.strip().splitlines() or ["no answer"]
            return State("node", False, said[-1])
        conditions = json.loads(done.stdout)["status"].get("conditions", [])
        for condition in conditions:
            if condition["type"] == "Ready":
                return State("node", condition["status"] == "True", condition["message"])
        return State("node", False, "the kubelet has not reported yet")

    def _reusable(self) -> bool:
        """Made from the same things and whole enough to repair: processes can be started again, a network can not."""
        layout = self.layout
        try:
            same = layout.fingerprint.read_text() == files.fingerprint(layout, self.binaries)
        except FileNotFoundError:
            return False
        return same and network.exists(layout.network)

    def _start(self) -> None:
        began = time.monotonic()
        layout = self.layout
        if not layout.fingerprint.exists():
            layout.root.mkdir(parents=True, exist_ok=True)
            layout.root.chmod(0o755)
        steps = [
            Task("configuration", self._configure),
            Task("network", self._make_network),
            Task("cgroup", lambda: cgroups.create(layout.cgroup)),
            Task("pause image", self._load_pause, ("containerd",)),
            Task("objects", self._apply_objects, ("kube-apiserver",)),
        ]
        steps += [
            Task(component.name, partial(self._ensure, component), component.after) for component in self._components
        ]
        run_all(steps)
        with self.report.step("the node is to be ready for pods"):
            self._await_node()
        self.report.line(f"the cluster is up after {span(time.monotonic() - began)}")

    def _configure(self) -> None:
        """The fingerprint comes last: without it the folder counts as garbage."""
        layout = self.layout
        network.tune_host(layout.sysctls)
        if layout.fingerprint.exists():
            return
        files.write_all(layout)
        unfinished = layout.fingerprint.with_suffix(".new")
        unfinished.write_text(files.fingerprint(layout, self.binaries))
        unfinished.rename(layout.fingerprint)

    def _make_network(self) -> None:
        if not network.exists(self.layout.network):
            network.create(self.layout.network)

    def _ensure(self, component: Component) -> None:
        """Keep it when it runs and is, or soon is, healthy; start it (again) otherwise."""
        if self._processes.identity(component.name) is not None:
            if self._await_health(component, RECOVER_SECONDS) is None:
                return
            self.report.line(f"{component.name}: runs but is not healthy, starting it again")
        self._processes.stop(component.name)
        began = time.monotonic()
        command = network.inside(self.layout.network, component.command)
        self._processes.start(component.name, command, environment(self.layout, self.binaries))
        if wrong := self._await_health(component, START_SECONDS):
            log = self._processes.log(component.name)
            raise StartFailed(f"{component.name}: {wrong}\n{tail(log)}\n(all of it: {log})")
        self.report.line(f"{component.name}: healthy after {span(time.monotonic() - began)}")

    def _await_health(self, component: Component, seconds: float) -> str | None:
        """What is wrong at the end; None as soon as nothing is."""
        deadline = time.monotonic() + seconds
        said = time.monotonic()
        while wrong := component.probe():
            now = time.monotonic()
            if self._processes.identity(component.name) is None:
                return "it ended"
            if now > deadline:
                return f"not healthy after {span(seconds)}: {wrong}"
            if now - said > 5:
                said = now
                self.report.line(f"waiting for {component.name}: {wrong}")
            time.sleep(POLL_SECONDS)
        return None

    def _load_pause(self) -> None:
        pause.load(self.layout, self.binaries)

    def _apply_objects(self) -> None:
        done = self._kubectl(
            "apply",
            "--server-side",
            "--force-conflicts",
            "--filename=-",
            stdin=json.dumps(configuration.objects(self.layout)),
        )
        if done.returncode != 0:
            raise StartFailed(f"the cluster's own objects: {done.stderr.strip()}")

    def _await_node(self) -> None:
        """A pod can be created, and would be scheduled."""
        limit = f"--timeout={NODE_READY_SECONDS}s"
        waits = (
            ("--for=create", f"node/{NODE}"),
            ("--for=condition=Ready", f"node/{NODE}"),
            ("--for=create", "serviceaccount/default", "--namespace=default"),
        )
        for wait in waits:
            done = self._kubectl("wait", *wait, limit)
            if done.returncode != 0:
                raise StartFailed(f"node: {done.stderr.strip()}; {tail(self._processes.log('kubelet'))}")

    def _kubectl(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [str(self.binaries.path("kubectl")), f"--kubeconfig={self.layout.kubeconfig}", *arguments]
        return attempt(command, env=environment(self.layout, self.binaries), stdin=stdin)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One `up` or `down` at a time on the machine. `down` takes the file away, so look that it is still the one."""
        path = self.layout.lock
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            with path.open("w") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    with self.report.step("waiting for another command on this cluster"):
                        fcntl.flock(lock, fcntl.LOCK_EX)
                try:
                    current = path.stat().st_ino == os.fstat(lock.fileno()).st_ino
                except FileNotFoundError:
                    current = False
                if current:
                    yield
                    return
