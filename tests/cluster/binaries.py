"""The cluster's programs, built once from Go modules and kept outside the repository.

Each recipe is a module of our own with its `go.sum`, so that what is built is pinned to the byte. The key of a cache
entry is the recipe itself: module files, sources, flags and platform.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.commands import Failure
from tests.cluster.layout import cache_home
from tests.cluster.report import Report

RECIPES = Path(__file__).parent / "recipes"
GO_FOLDERS = "/usr/local/go/bin:/usr/lib/go/bin"  # where Go's own installer puts it, often not on root's PATH
GO_FLAGS = ("-trimpath", "-buildvcs=false", "-mod=readonly")


class BuildFailed(Failure):
    """Carries the end of the compiler's own words."""


@dataclass(frozen=True)
class Recipe:
    """What one module builds: import path -> program."""

    name: str
    version: str
    packages: tuple[tuple[str, str], ...]
    ldflags: str = "-s -w"
    aliases: tuple[str, ...] = ()
    """More names of the first program, which looks at its own name to know what it is."""

    @property
    def module(self) -> Path:
        return RECIPES / self.name

    @property
    def programs(self) -> tuple[str, ...]:
        return tuple(program for _, program in self.packages) + self.aliases

    def key(self) -> str:
        """Changes with everything that changes the programs."""
        digest = hashlib.sha256()
        sources = sorted(path for path in self.module.iterdir() if path.suffix in {".mod", ".sum", ".go"})
        for path in sources:
            digest.update(f"{path.name}\0{len(path.read_bytes())}\0".encode() + path.read_bytes())
        digest.update(repr((self.packages, self.ldflags, self.aliases, GO_FLAGS, platform.machine())).encode())
        return f"{self.name}-{self.version}-{digest.hexdigest()[:12]}"


KUBERNETES = "1.36.3"
HELM_KUBERNETES_MINOR = "34"  # of the client libraries that Helm 3.19 is made with


def _stamp(version: str) -> str:
    """Without it the programs call themselves v0.0.0-master, and Helm's kubeVersion refuses every chart."""
    major, minor, _ = version.split(".")
    values = {"gitVersion": f"v{version}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return " ".join(f"-X {package}.{name}={value}" for package in packages for name, value in values.items())


def _helm_stamp(version: str) -> str:
    """As Helm's own release does; `helm template` otherwise pretends to speak to Kubernetes 1.20."""
    values = {"internal/version.version": f"v{version}"}
    for package in ("pkg/lint/rules", "pkg/chartutil"):
        values |= {f"{package}.k8sVersionMajor": "1", f"{package}.k8sVersionMinor": HELM_KUBERNETES_MINOR}
    return " ".join(f"-X helm.sh/helm/v3/{name}={value}" for name, value in values.items())


RECIPE = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "kubernetes",
            KUBERNETES,
            ((".", "node"),),
            f"-s -w {_stamp(KUBERNETES)}",
            (
                "etcd",
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
                "kube-proxy",
                "kubelet",
                "kubectl",
            ),
        ),
        Recipe(
            "containerd",
            "2.4.2",
            tuple(
                (f"github.com/containerd/containerd/v2/cmd/{program}", program)
                for program in ("containerd", "containerd-shim-runc-v2", "ctr")
            ),
            "-s -w -X github.com/containerd/containerd/v2/version.Version=2.4.2",
        ),
        Recipe("coredns", "1.14.6", ((".", "coredns"),)),
        Recipe("helm", "3.19.5", (("helm.sh/helm/v3/cmd/helm", "helm"),), f"-s -w {_helm_stamp('3.19.5')}"),
        Recipe("pause", "1", ((".", "pause"),)),
    )
}


@dataclass(frozen=True)
class Binaries:
    """Where each program is. Nothing says that it has been built: see `build`."""

    cache: Path

    def folder(self, recipe: Recipe) -> Path:
        return self.cache / recipe.key()

    def path(self, program: str) -> Path:
        for recipe in RECIPE.values():
            if program in recipe.programs:
                return self.folder(recipe) / program
        raise KeyError(program)

    def missing(self) -> list[Recipe]:
        return [recipe for recipe in RECIPE.values() if not self.folder(recipe).is_dir()]

    def fingerprint(self) -> str:
        return " ".join(sorted(recipe.key() for recipe in RECIPE.values()))

    def build(self, report: Report) -> None:
        """All that is not in the cache. An entry appears whole or not at all."""
        for recipe in self.missing():
            self._ensure(recipe, report)

    def ensure(self, program: str, report: Report) -> Path:
        """Where `program` is, built now if it is not in the cache: the chart's tests need Helm and no cluster."""
        (recipe,) = (recipe for recipe in RECIPE.values() if program in recipe.programs)
        if not self.folder(recipe).is_dir():
            self._ensure(recipe, report)
        return self.path(program)

    def _ensure(self, recipe: Recipe, report: Report) -> None:
        self.cache.mkdir(parents=True, exist_ok=True)
        with _locked(self.cache / f".{recipe.name}.lock", report, recipe.name):
            if not self.folder(recipe).is_dir():  # another checkout may have built it meanwhile
                self._build(recipe, report)

    def _build(self, recipe: Recipe, report: Report) -> None:
        for abandoned in self.cache.glob(f".building-{recipe.name}-*"):
            shutil.rmtree(abandoned)
        unfinished = Path(tempfile.mkdtemp(prefix=f".building-{recipe.name}-", dir=self.cache))
        try:
            with report.step(f"building {recipe.name} {recipe.version} (once, then cached)"):
                compile_recipe(recipe, unfinished)
            for alias in recipe.aliases:
                (unfinished / alias).symlink_to(recipe.packages[0][1])
            unfinished.chmod(0o755)
            unfinished.rename(self.folder(recipe))
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise


def find_go() -> str | None:
    return shutil.which("go") or shutil.which("go", path=GO_FOLDERS)


def compile_recipe(recipe: Recipe, into: Path) -> None:
    go = find_go()
    if go is None:
        raise BuildFailed("there is no Go: install the version named in tests/cluster/recipes/*/go.mod, or newer")
    env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}
    env.setdefault("HOME", "/root")
    packages = [package for package, _ in recipe.packages]
    output = into / recipe.packages[0][1] if packages == ["."] else into
    done = subprocess.run(
        ["nice", "-n", "5", go, "build", *GO_FLAGS, "-ldflags", recipe.ldflags, "-o", str(output), *packages],
        cwd=recipe.module,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        said = re.sub(r"^go: downloading .*\n", "", done.stdout, flags=re.MULTILINE)
        raise BuildFailed(f"building {recipe.name} {recipe.version} failed: {said.strip()[-2000:]}")


@contextmanager
def _locked(path: Path, report: Report, what: str) -> Iterator[None]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with report.step(f"waiting for another checkout that builds {what}"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def default() -> Binaries:
    return Binaries(cache_home())
