"""What builds and keeps images on this machine: docker where one answers, else buildah, which needs no daemon."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import base
from tests.cluster.report import Report

ROOT = Path(__file__).parents[2]


class ImageFailed(Exception):
    """Says which image, which command, and the end of what it said."""


@dataclass(frozen=True)
class Image:
    id: str
    labels: Mapping[str, str]


class Docker:
    name = "docker"

    def image(self, name: str) -> Image | None:
        done = _attempt(["docker", "image", "inspect", name])
        if done.returncode != 0:
            return None
        (found,) = json.loads(done.stdout)
        return Image(found["Id"], found["Config"].get("Labels") or {})

    def build(self, dockerfile: Path, name: str, labels: Mapping[str, str], report: Report) -> None:
        run(["docker", "build", "--quiet", *_build_arguments(dockerfile, name, labels), str(ROOT)])

    def save(self, name: str, archive: Path) -> None:
        run(["docker", "save", "--output", str(archive), name])

    def push(self, name: str) -> None:
        run(["docker", "push", "--quiet", name])

    def remove(self, name: str) -> None:
        _attempt(["docker", "image", "rm", name])

    def names(self) -> list[str]:
        return run(["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]).split()


class Buildah:
    name = "buildah"

    def image(self, name: str) -> Image | None:
        done = _attempt(["buildah", "inspect", "--type", "image", name])
        if done.returncode != 0:
            return None
        found = json.loads(done.stdout)
        return Image(found["FromImageID"], found["OCIv1"].get("config", {}).get("Labels") or {})

    def build(self, dockerfile: Path, name: str, labels: Mapping[str, str], report: Report) -> None:
        """On a base made here under the name that the Dockerfile asks for: no registry is reached."""
        if self.image(base.NAME) is None:
            base.make(report)
        with base.host_access() as access:
            run(
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
        run(["buildah", "push", "--quiet", name, f"docker-archive:{archive}:{name}"])

    def push(self, name: str) -> None:
        run(["buildah", "push", "--quiet", name])

    def remove(self, name: str) -> None:
        _attempt(["buildah", "rmi", name])

    def names(self) -> list[str]:
        return run(["buildah", "images", "--noheading", "--format", "{{.Name}}:{{.Tag}}"]).split()


Engine = Docker | Buildah


def choose() -> Engine:
    """Docker only when its daemon answers: a client alone builds nothing."""
    if shutil.which("docker") and _attempt(["docker", "version", "--format", "{{.Server.Version}}"]).returncode == 0:
        return Docker()
    return Buildah()


def run(command: Sequence[str]) -> str:
    done = _attempt(command)
    if done.returncode != 0:
        raise ImageFailed(f"{' '.join(command)}: {(done.stdout + done.stderr).strip()[-2000:]}")
    return done.stdout


def _attempt(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except FileNotFoundError as error:
        raise ImageFailed(f"there is no {command[0]} on the PATH") from error


def _build_arguments(dockerfile: Path, name: str, labels: Mapping[str, str]) -> list[str]:
    marks = [part for key, value in labels.items() for part in ("--label", f"{key}={value}")]
    return ["--file", str(dockerfile), "--tag", name, *marks]
