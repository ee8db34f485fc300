"""The locks hold what pyproject.toml asks for, with hashes and without addresses."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
LOCKS = {"dev": sorted(EXTRAS), "gateway": ["gateway"], "operator": ["operator"], "login": ["login"]}


def locked(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    return {canonicalize_name(match[1]): match[2] for match in re.finditer(r"(?m)^([\w.-]+)==(\S+)", text)}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_satisfies_its_extras(lock: str) -> None:
    versions = locked(lock)
    for extra in LOCKS[lock]:
        for requirement in map(Requirement, EXTRAS[extra]):
            version = versions.get(canonicalize_name(requirement.name))
            assert version is not None, f"{requirement.name} is not locked: run make lock"
            assert requirement.specifier.contains(version), f"{requirement} is locked at {version}: run make lock"


@pytest.mark.parametrize("lock", ["gateway", "operator", "login", "build"])
def test_what_images_hold_is_what_was_tested(lock: str) -> None:
    assert locked(lock).items() <= locked("dev").items()


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.name)
def test_a_lock_has_hashes_and_no_addresses(path: Path) -> None:
    text = path.read_text()
    assert "://" not in text
    assert text.count("--hash=sha256:") >= len(re.findall(r"(?m)^[\w.-]+==", text))
