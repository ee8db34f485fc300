import os
import platform
import shutil
from pathlib import Path

import pytest

from tests.cluster import access, binaries, packages
from tests.cluster.access import ClusterUnavailable

EVERYTHING = "CapInh:\t0\nCapEff:\t000001ffffffffff\n"


@pytest.fixture
def able(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A machine on which a cluster could be had, whatever this one is."""
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(access, "effective_capabilities", lambda: EVERYTHING)
    monkeypatch.setattr(binaries, "find_go", lambda: "/usr/bin/go")
    monkeypatch.setattr(packages, "missing", lambda wanted: [])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return monkeypatch


def test_nothing_stands_against_it_on_an_able_machine(able: pytest.MonkeyPatch) -> None:
    assert access.unavailable_because() is None


def test_another_system_is_named(able: pytest.MonkeyPatch) -> None:
    able.setattr(platform, "system", lambda: "Darwin")
    with pytest.raises(ClusterUnavailable, match="needs Linux, and this is Darwin.*KUBE_CONTEXT"):
        access.obtain()


def test_without_root_it_says_so(able: pytest.MonkeyPatch) -> None:
    able.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ClusterUnavailable, match="needs root.*KUBE_CONTEXT"):
        access.obtain()


def test_the_missing_capability_is_named(able: pytest.MonkeyPatch) -> None:
    able.setattr(access, "effective_capabilities", lambda: "CapEff:\t00000000a80425fb\n")
    with pytest.raises(ClusterUnavailable, match="lacks CAP_SYS_ADMIN and CAP_NET_ADMIN"):
        access.obtain()


def test_without_go_and_without_built_programs_it_says_so(able: pytest.MonkeyPatch) -> None:
    able.setattr(binaries, "find_go", lambda: None)
    with pytest.raises(ClusterUnavailable, match="there is no Go"):
        access.obtain()


def test_packages_that_can_not_be_installed_are_named(able: pytest.MonkeyPatch) -> None:
    able.setattr(packages, "missing", lambda wanted: ["nftables", "runc"])
    able.setattr(shutil, "which", lambda name, path=None: None)
    with pytest.raises(ClusterUnavailable, match="nftables runc"):
        access.obtain()


def test_a_context_of_ones_own_needs_kubectl_and_helm(able: pytest.MonkeyPatch) -> None:
    able.setattr(shutil, "which", lambda name, path=None: None if name == "helm" else f"/usr/bin/{name}")
    with pytest.raises(ClusterUnavailable, match="no helm on the PATH"):
        access.obtain("kind-dev")


def test_a_context_that_does_not_answer_says_what_kubectl_said(able: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text("#!/bin/sh\necho 'context was not found' >&2\nexit 1\n")
    kubectl.chmod(0o755)
    able.setattr(shutil, "which", lambda name, path=None: str(kubectl))
    with pytest.raises(ClusterUnavailable, match="of context gone does not answer.*context was not found"):
        access.obtain("gone")


LOADED = {
    "kind-dev": ["kind", "load", "docker-image", "a:1", "--name", "dev"],
    "k3d-dev": ["k3d", "image", "import", "a:1", "--cluster", "dev"],
    "minikube": ["minikube", "--profile", "minikube", "image", "load", "a:1"],
    "company-cluster": None,
}


@pytest.mark.parametrize(("context", "command"), LOADED.items(), ids=LOADED.keys())
def test_an_image_is_loaded_as_the_tool_of_the_context_does(context: str, command: list[str] | None) -> None:
    assert access.load_command(context, "a:1") == command
