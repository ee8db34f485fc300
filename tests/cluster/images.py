"""The project's images: `build()` for tests and the demo, `python -m tests.cluster.images` for `make images`."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import engines, packages
from tests.cluster.commands import Failure
from tests.cluster.engines import ROOT
from tests.cluster.report import Report

LOCAL = "localhost"
INPUTS_LABEL = "dev.lingma.inputs"
VERSION_LABEL = "org.opencontainers.image.version"
DOCKERFILES = {
    "lingma-gateway": "gateway/Dockerfile",
    "lingma-operator": "operator/Dockerfile",
    "lingma-login": "gateway/Dockerfile.login",
}
NAMES = tuple(DOCKERFILES)
PROGRAMS = ("lingma-gateway", "lingma-operator")
"""What every release runs; the login's browser is for accounts that ask for it, and large."""
# What the Dockerfiles copy (see .dockerignore).
INPUTS = (".dockerignore", "pyproject.toml", "README.md", "requirements", "gateway", "operator")
LEFT_OUT = {"__pycache__"}
DIGEST_DIGITS = 12
KEPT_OLDER = 4


@dataclass(frozen=True)
class Repository:
    """Where an image is kept, and under which tag."""

    registry: str = LOCAL
    tag: str = ""
    """Empty: the digest of the inputs, so that a changed image has a new name and no pod keeps an old one."""

    def reference(self, name: str) -> str:
        return f"{self.registry}/{name}:{self.tag or image_tag()}"


def image_tag() -> str:
    return f"dev-{inputs_digest(ROOT)[:DIGEST_DIGITS]}"


def inputs_digest(root: Path) -> str:
    """Of every file that an image is made from: a changed comment gives a new tag, a changed test does not."""
    digest = hashlib.sha256()
    for path in sorted(_inputs(root)):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def build(
    names: Iterable[str] = NAMES, repository: Repository | None = None, report: Report | None = None
) -> list[str]:
    """Their references. What was made from the same inputs is not made again."""
    report, repository = report or Report(), repository or Repository()
    engine = engines.choose()
    if isinstance(engine, engines.Buildah):
        packages.ensure(packages.IMAGES, report)
    digest = inputs_digest(ROOT)
    references = []
    for name in names:
        reference = repository.reference(name)
        references.append(reference)
        current = engine.image(reference)
        if current is not None and current.labels.get(INPUTS_LABEL) == digest:
            report.line(f"{reference}: built before")
            continue
        with report.step(f"building {reference} with {engine.name}"):
            labels = {INPUTS_LABEL: digest, VERSION_LABEL: reference.rpartition(":")[2]}
            engine.build(ROOT / DOCKERFILES[name], reference, labels, report)
        for forgotten in older(engine.names(), name, reference):
            engine.remove(forgotten)
    return references


def _inputs(root: Path) -> Iterable[Path]:
    for name in INPUTS:
        start = root / name
        if start.is_file():
            yield start
        for folder, below, files in os.walk(start):
            below[:] = [each for each in below if each not in LEFT_OUT]
            yield from (Path(folder) / file for file in files if not file.endswith(".pyc"))


def older(names: Iterable[str], name: str, current: str) -> list[str]:
    """Of our own making (tags that are digests of inputs), newest first; some stay for other checkouts at work."""
    ours = [each for each in names if each.startswith(f"{LOCAL}/{name}:dev-") and each != current]
    return ours[KEPT_OLDER:]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.images", description="Builds the images.")
    parser.add_argument("--registry", default="", help="push there, too; without it the images stay local")
    parser.add_argument("--tag", default="", help="instead of the digest of what they are made from")
    options = parser.parse_args(arguments)
    report = Report()
    try:
        references = build(NAMES, Repository(options.registry or LOCAL, options.tag), report)
        for reference in references if options.registry else []:
            with report.step(f"pushing {reference}"):
                engines.choose().push(reference)
    except Failure as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("\n".join(references))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
