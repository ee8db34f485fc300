"""`debian:bookworm-slim` without a registry: Debian's own installer makes the tree, buildah gives it the name.

Who would rather have the published one pulls it first (`buildah pull docker.io/library/debian:bookworm-slim`).
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.commands import Failure, attempt, run
from tests.cluster.report import Report

NAME = "docker.io/library/debian:bookworm-slim"
SUITE = "bookworm"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
SOURCES = Path("etc/apt/sources.list.d/debian.sources")
# As in the published slim image; /var/lib/apt/lists and the like are made anew by whoever needs them.
LEFT_OUT = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
    "usr/share/locale",
    "var/cache/apt",
    "var/lib/apt/lists",
)
KEPT_EMPTY = ("var/cache/apt/archives/partial", "var/lib/apt/lists/partial")
CERTIFICATES = Path("/etc/ssl/certs")
NO_SOURCES = "# A build brings its machine's own sources and mounts them here.\n"
PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host")


class BaseFailed(Failure):
    """Debootstrap or buildah could not make it."""


def make(report: Report) -> None:
    with report.step(f"making {NAME} with debootstrap"), tempfile.TemporaryDirectory(dir="/var/tmp") as work:
        tree = Path(work) / "tree"
        mirror, _ = mirrors()
        run(["debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, str(tree), mirror], BaseFailed)
        _slim(tree)
        container = run(["buildah", "from", "scratch"], BaseFailed).strip()
        try:
            run(["buildah", "add", "--quiet", container, str(tree), "/"], BaseFailed)
            run(
                ["buildah", "config", "--cmd", "bash", "--env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", container],
                BaseFailed,
            )
            run(["buildah", "commit", "--quiet", container, NAME], BaseFailed)
        finally:
            run(["buildah", "rm", container], BaseFailed)


def sources(mirror: str, security: str) -> str:
    """Debian's list of package sources, in the form of the published image."""
    return "".join(
        f"Types: deb\nURIs: {uri}\nSuites: {suites}\nComponents: main\nSigned-By: {KEYRING}\n\n"
        for uri, suites in ((mirror, f"{SUITE} {SUITE}-updates"), (security, f"{SUITE}-security"))
        if uri
    )


def mirrors() -> tuple[str, str]:
    """Where this machine itself gets Debian's packages and their security updates."""
    found = _indexes()
    if SUITE not in found:
        attempt(["apt-get", "update", "-qq"])  # before the first one apt does not know whose its sources are
        found = _indexes()
    if SUITE not in found:
        raise BaseFailed(f"apt has no Debian {SUITE} here to take packages from: pull {NAME} with buildah first")
    return found[SUITE], found.get(f"{SUITE}-security", "")


def _indexes() -> dict[str, str]:
    """Address by code name."""
    form = "$(ORIGIN) $(CODENAME) $(REPO_URI)"
    listed = attempt(["apt-get", "indextargets", "--format", form, "Identifier: Packages"]).stdout
    found: dict[str, str] = {}
    for line in listed.splitlines():
        match line.split(" "):
            case ["Debian", codename, uri]:
                found.setdefault(codename, uri.rstrip("/"))
    return found


@contextmanager
def host_access() -> Iterator[list[str]]:
    """Arguments that lend a build this machine's mirrors and trust. They are mounted, so no layer holds them."""
    with tempfile.NamedTemporaryFile("w", suffix=".sources") as file:
        file.write(sources(*mirrors()))
        file.flush()
        os.fchmod(file.fileno(), 0o644)
        arguments = ["--volume", f"{file.name}:/{SOURCES}:ro"]
        if CERTIFICATES.is_dir():
            arguments += ["--volume", f"{CERTIFICATES}:{CERTIFICATES}:ro"]
        yield arguments + pip_arguments(run([sys.executable, "-m", "pip", "config", "list"], BaseFailed))


def pip_arguments(listed: str) -> list[str]:
    """What `pip config list` says of indexes, as build arguments: these stay in the stage that builds."""
    found: dict[str, str] = {}
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        setting = key.rpartition(".")[2]
        if setting in PIP_SETTINGS:
            found[setting] = value.strip("'\"").replace("\\n", " ").strip()
    return [f"--build-arg=PIP_{setting.replace('-', '_').upper()}={value}" for setting, value in found.items()]


def _slim(tree: Path) -> None:
    for path in LEFT_OUT:
        shutil.rmtree(tree / path, ignore_errors=True)
    for path in KEPT_EMPTY:
        (tree / path).mkdir(parents=True)
    for path in ("etc/apt/sources.list", "etc/resolv.conf", "etc/hostname"):
        (tree / path).unlink(missing_ok=True)
    (tree / SOURCES).write_text(NO_SOURCES)
    for log in (tree / "var/log").rglob("*"):
        if log.is_file():
            log.unlink()
