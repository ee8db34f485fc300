"""Debian packages: installed when a program they bring is missing, and never otherwise."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.cluster.commands import Failure
from tests.cluster.report import Report

# The program or file that tells whether a package is there.
NODE = {
    "ip": "iproute2",
    "nsenter": "util-linux",
    "runc": "runc",
    "nft": "nftables",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
}
IMAGES = {"buildah": "buildah", "debootstrap": "debootstrap"}
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class MissingPackages(Failure):
    """Says which packages are needed and why they could not be installed."""


def missing(wanted: dict[str, str]) -> list[str]:
    def there(sign: str) -> bool:
        return Path(sign).exists() if sign.startswith("/") else shutil.which(sign, path=SYSTEM_PATH) is not None

    return sorted({package for sign, package in wanted.items() if not there(sign)})


def ensure(wanted: dict[str, str], report: Report) -> None:
    packages = missing(wanted)
    if not packages:
        return
    names = " ".join(packages)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise MissingPackages(f"these Debian packages are missing: {names}; install them (apt-get install {names})")
    with report.step(f"installing Debian packages: {names}"):
        _apt(["update", "-qq"])
        _apt(["install", "-y", "-qq", "--no-install-recommends", *packages])
    if still := missing(wanted):
        raise MissingPackages(f"apt-get installed these, yet their programs are not found: {' '.join(still)}")


def _apt(arguments: Iterable[str]) -> None:
    command = ["apt-get", "-o", "DPkg::Lock::Timeout=300", *arguments]  # another checkout may be installing too
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        text=True,
    )
    if done.returncode != 0:
        raise MissingPackages(f"{' '.join(command)} failed: {done.stdout.strip()[-800:]}")
