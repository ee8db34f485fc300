"""Runs `helm` over the chart and gives what it renders as parsed objects."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "charts" / "lingma-operator"
NAMESPACE = "team-lingma"
KUBERNETES = "1.36.3"

IMAGES = {"gateway": {"repository": "example.test/gateway"}, "operator": {"repository": "example.test/operator"}}

Object = dict[str, Any]


@dataclass(frozen=True)
class Refused(Exception):
    """Helm rendered nothing; `message` is what it said."""

    message: str


@dataclass(frozen=True)
class Rendered:
    """The objects of one render."""

    objects: tuple[Object, ...]

    def of(self, kind: str) -> list[Object]:
        return [item for item in self.objects if item["kind"] == kind]

    def one(self, kind: str, name: str, namespace: str | None = None) -> Object:
        found = [
            item
            for item in self.of(kind)
            if item["metadata"]["name"] == name and namespace in (None, item["metadata"].get("namespace"))
        ]
        assert len(found) == 1, f"{len(found)} objects {kind}/{name} among {self.names()}"
        return found[0]

    def names(self) -> list[str]:
        return sorted(f"{item['kind']}/{item['metadata']['name']}" for item in self.objects)

    def pods(self) -> dict[str, Object]:
        """Pod templates by the name of what holds them."""
        return {
            f"{item['kind']}/{item['metadata']['name']}": item["spec"]["template"]
            for item in self.objects
            if "template" in item.get("spec", {})
        }


@dataclass(frozen=True)
class Helm:
    """One helm binary."""

    program: Path

    def lint(self, values: Mapping[str, Any]) -> str:
        """What `helm lint --strict` says.

        Raises:
            Refused: it found something.
        """
        return self._run(["lint", "--strict", "--kube-version", KUBERNETES, str(CHART), "--values", "-"], values)

    def render(
        self,
        values: Mapping[str, Any] | None = None,
        *,
        release: str = "lingma",
        chart: Path = CHART,
        kubernetes: str = KUBERNETES,
    ) -> Rendered:
        """What `helm template` renders, with both image repositories set unless `values` sets `image` itself.

        Raises:
            Refused: the schema or a template refused the values.
        """
        text = self._run(
            ["template", release, str(chart), "-n", NAMESPACE, "--kube-version", kubernetes, "--values", "-"],
            {"image": IMAGES, **(values or {})},
        )
        return Rendered(tuple(item for item in yaml.safe_load_all(text) if item))

    def _run(self, arguments: Iterable[str], values: Mapping[str, Any]) -> str:
        done = subprocess.run([self.program, *arguments], input=json.dumps(values), capture_output=True, text=True)
        if done.returncode != 0:
            raise Refused(done.stderr + done.stdout)
        return done.stdout


def container(rendered: Rendered, component: str, fullname: str = "lingma") -> Object:
    """The only container of the operator's or the router's pod."""
    (only,) = rendered.one("Deployment", f"{fullname}-{component}")["spec"]["template"]["spec"]["containers"]
    assert isinstance(only, dict)
    return only


def environment(rendered: Rendered, component: str, fullname: str = "lingma") -> dict[str, Any]:
    """Plain variables of the component's container by name; those filled from fields map to their field."""
    entries = container(rendered, component, fullname)["env"]
    assert len({entry["name"] for entry in entries}) == len(entries), "a variable stands twice"
    return {
        entry["name"]: entry["value"] if "value" in entry else entry["valueFrom"]["fieldRef"]["fieldPath"]
        for entry in entries
    }
