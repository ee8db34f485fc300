"""One release of the chart in a cluster: installed, found unchanged, removed."""

import base64
import hashlib
import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.kube import Kube, KubectlFailed, Object, parsed
from lingma_contract.names import Label
from tests.cluster.commands import Failure

ROOT = Path(__file__).parents[1]
CHART = ROOT / "charts" / "lingma-operator"
CRD = "lingmaaccounts.lingma.dev"
OWNER = "meta.helm.sh/release"


class HelmFailed(Failure):
    """Carries what helm said."""


class NotReady(Failure):
    """The release is installed and its programs do not run; carries its pods and the ends of their logs."""


@dataclass(frozen=True)
class Release:
    """The release `name` in the namespace of `kube`."""

    kube: Kube
    values: Mapping[str, Any]
    name: str = "lingma"

    def install(self) -> bool:
        """Bring the release to these values; False when it already has them and nothing was done.

        Raises:
            HelmFailed: helm refused, or the programs did not become ready.
        """
        values = {**self.values, "crds": {"install": self._settle_definition()}}
        mark = f"made from {_digest(values)}"
        if self._described() == mark and len(self._deployments()) == 2:
            return False
        self._helm(
            "upgrade",
            "--install",
            self.name,
            str(CHART),
            "--values",
            "-",
            "--description",
            mark,
            given=json.dumps(values),
        )
        return True

    def ready(self, seconds: int = 180) -> None:
        """Wait until every replica of both programs is ready.

        Raises:
            NotReady: they are not, in time.
        """
        try:
            for deployment in self._deployments():
                self.kube.run("rollout", "status", deployment, f"--timeout={seconds}s")
        except KubectlFailed as error:
            ours = ("-l", f"{Label.INSTANCE}={self.name}")
            pods = self.kube.attempt("get", "pods", *ours)
            logs = self.kube.attempt("logs", *ours, "--tail=10", "--prefix")
            raise NotReady(f"{error}\n{pods}\n{logs}") from error

    def remove(self) -> None:
        """What the operator made beside the release (two Secrets) stays until its namespace goes."""
        self._helm("uninstall", self.name, "--ignore-not-found", "--wait", "--timeout", "3m")

    def revision(self) -> int:
        return int(self._status()["version"])

    def api_key(self) -> str:
        """The key that the operator made."""
        found = self.kube.get("secret", f"{self.name}-api-keys")
        assert found is not None, "the operator has made no API key"
        (value,) = found["data"].values()
        return base64.b64decode(value).decode()

    def _deployments(self) -> list[str]:
        return self.kube.run(
            "get", "deployments", f"--selector=app.kubernetes.io/instance={self.name}", "-oname"
        ).split()

    def _settle_definition(self) -> bool:
        """Whether this release is the one that holds the CRD, which all releases of a cluster share.

        A definition that an uninstalled release left behind is taken over. One of a living release is that release's;
        on a cluster of our own it is brought up to date all the same.
        """
        found = self._definition()
        if found is None:
            return True
        notes = found["metadata"].get("annotations", {})
        name, namespace = notes.get(f"{OWNER}-name"), notes.get(f"{OWNER}-namespace")
        if (name, namespace) == (self.name, self.kube.namespace):
            return True
        if name and namespace and Release(self.kube.within(namespace), {}, name)._exists():
            if self.kube.cluster.owned:
                file = str(ROOT / "crds" / f"{CRD}.yaml")
                self.kube.run("apply", "--server-side", "--force-conflicts", "--filename", file)
            return False
        owner = (f"{OWNER}-name={self.name}", f"{OWNER}-namespace={self.kube.namespace}")
        self.kube.run("annotate", "crd", CRD, "--overwrite", *owner)
        self.kube.run("label", "crd", CRD, "--overwrite", f"{Label.MANAGED_BY}=Helm")
        return True

    def _definition(self) -> Object | None:
        return self.kube.get("customresourcedefinition", CRD)

    def _exists(self) -> bool:
        return self._status(missing_ok=True) != {}

    def _described(self) -> str:
        """The description of the deployed revision; empty when there is none."""
        info = self._status(missing_ok=True).get("info", {})
        return str(info.get("description", "")) if info.get("status") == "deployed" else ""

    def _status(self, missing_ok: bool = False) -> Object:
        try:
            return parsed(self._helm("status", self.name, "--output", "json"))
        except HelmFailed as error:
            if missing_ok and "release: not found" in str(error):
                return {}
            raise

    def _helm(self, *arguments: str, given: str = "") -> str:
        cluster = self.kube.cluster
        context = ["--kube-context", cluster.context] if cluster.context else []
        command = [str(cluster.helm), *context, "--namespace", self.kube.namespace, *arguments]
        done = subprocess.run(command, input=given, capture_output=True, text=True, env=self.kube.environment())
        if done.returncode != 0:
            raise HelmFailed(f"helm {arguments[0]} {self.name}: {done.stderr.strip()}")
        return done.stdout


def simulated(references: Sequence[str], **more: Any) -> dict[str, Any]:
    """Values of a release with simulated accounts, run from images of these references."""
    images = {}
    for reference in references:
        repository, _, tag = reference.rpartition(":")
        images[repository.rpartition("-")[2]] = {"repository": repository, "tag": tag}
    return {"image": images, "simulator": {"enabled": True}, **more}


def namespace(name: str, **labels: str) -> Object:
    """A namespace whose pods must be restricted."""
    enforced = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {**enforced, **labels}}}


def _digest(values: Mapping[str, Any]) -> str:
    """Of the chart's files and the values."""
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode())
    for path in sorted(path for path in CHART.rglob("*") if path.is_file()):
        digest.update(f"\0{path.relative_to(CHART)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]
