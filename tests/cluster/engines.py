"""What builds and keeps images on this machine: docker where one answers, else buildah, which needs no daemon."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import base
from tests.cluster.commands import Failure, attempt, run
from tests.cluster.report import Report

ROOT = Path(__file__).parents[2]


class ImageFailed(Failure):
    """An image could not be built, kept or pushed."""


@dataclass(frozen=True)
class Image:
    id: str
    labels: Mapping[str, str]


class Docker:
    name = "docker"

    def image(self, name: str) -> Image | None:
        done = attempt(["docker", "image", "inspect", name])
        if done.returncode != 0:
            return None
        (found,) = json.loads(done.stdout)
        return Image(found["Id"], found["Config"].get("Labels") or {})

    def build(self, dockerfile: Path, name: str, labels: Mapping[str, str], report: Report) -> None:
        _run(["docker", "build", "--quiet", *_build_arguments(dockerfile, name, labels), str(ROOT)])

    def save(self, name: str, archive: Path) -> None:
        _run(["docker", "save", "--output", str(archive), name])

    def push(self, name: str) -> None:
        _run(["docker", "push", "--quiet", name])

    def remove(self, name: str) -> None:
        attempt(["docker", "image", "rm", name])

    def names(self) -> list[str]:
        return _run(["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]).split()


class Buildah:
    name = "buildah"

    def image(self, name: str) -> Image | None:
        done = attempt(["buildah", "inspect", "--type", "image", name])
        if done.returncode != 0:
            return None
        found = json.loads(done.stdout)
        return Image(found["FromImageID"], found["OCIv1"].get("config", {}).get("Labels") or {})

    def build(self, dockerfile: Path, name: str, labels: Mapping[str, str], report: Report) -> None:
        """On a base made here under the name that the Dockerfile asks for: no registry is reached."""
        if self.image(base.NAME) is None:
            base.make(report)
        with base.host_access() as access:
            _run(
                [
                    "buildah",
                    "build",
                    "--quiet",
                    "--layers",
                    "--force-rm",
                    "--pull-never",
                    "--isolation=chroot",
                    "--network=host",
                    *access,
                    *_build_arguments(dockerfile, name, labels),
                    str(ROOT),
                ]
            )

    def save(self, name: str, archive: Path) -> None:
        _run(["buildah", "push", "--quiet", name, f"docker-archive:{archive}:{name}"])

    def push(self, name: str) -> None:
        _run(["buildah", "push", "--quiet", name])

    def remove(self, name: str) -> None:
        attempt(["buildah", "rmi", name])

    def names(self) -> list[str]:
        return _run(["buildah", "images", "--noheading", "--format", "{{.Name}}:{{.Tag}}"]).split()


Engine = Docker | Buildah


def choose() -> Engine:
    """Docker only when its daemon answers: a client alone builds nothing."""
    if shutil.which("docker") and attempt(["docker", "version", "--format", "{{.Server.Version}}"]).returncode == 0:
        return Docker()
    return Buildah()


def _run(command: Sequence[str]) -> str:
    return run(command, ImageFailed)


def _build_arguments(dockerfile: Path, name: str, labels: Mapping[str, str]) -> list[str]:
    marks = [part for key, value in labels.items() for part in ("--label", f"{key}={value}")]
    return ["--file", str(dockerfile), "--tag", name, *marks]
