"""Every command of the README is run: by a test here, by the gate, or by the end-to-end tests."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from lingma_contract import bundle
from tests.chart.support import KUBERNETES
from tests.cluster import binaries
from tests.cluster.report import Report
from tests.support.programs import Program

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = [block.strip() for block in re.findall(r"(?ms)^```sh\n(.*?)^```", README)]

BY_THE_GATE = ("make demo", "make demo-down", "make test")
"""In .ci/run."""
CANNOT_RUN_HERE = ("make demo KUBE_CONTEXT=kind-kind",)
"""There is no Docker here, and the README says so. A context that is given is run by hand."""


def block(beginning: str) -> str:
    (found,) = (each for each in BLOCKS if each.startswith(beginning))
    return str(found)


def test_every_block_is_accounted_for() -> None:
    run_here = ("make setup", "make images", "kubectl -n lingma create secret")
    left = [each for each in BLOCKS if each not in (*BY_THE_GATE, *CANNOT_RUN_HERE) and not each.startswith(run_here)]
    assert left == []


@pytest.mark.parametrize("command", BY_THE_GATE)
def test_the_gate_runs_what_the_readme_promises(command: str) -> None:
    gate = (ROOT / ".ci" / "run").read_text()
    assert re.search(rf"(?m)^(exec )?{re.escape(command)}$", gate)


def test_the_standalone_gateway_starts_as_the_readme_says() -> None:
    setup, serve = block("make setup").splitlines()
    assert setup == "make setup"
    path, *arguments = shlex.split(serve)
    assert (ROOT / path).exists()
    with Program("lingma_gateway", [*arguments, "--port", "0"]) as program:
        program.wait_for("lingma_state", new_state="ready")


def test_helm_takes_the_values_of_the_readme() -> None:
    images, install = block("make images").split("\n", 1)
    assert re.fullmatch(r"make images REGISTRY=\S+ TAG=\S+", images)
    words = shlex.split(install.replace("\\\n", " "))
    assert words[:2] == ["helm", "install"]
    program = str(binaries.default().ensure("helm", Report()))
    command = [program, "template", *words[2:], "--kube-version", KUBERNETES]
    rendered = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert "registry.example.com/team/lingma-gateway:0.1.0" in rendered
    assert "registry.example.com/team/lingma:2.11.2" in rendered


def test_a_bundle_is_packed_as_the_readme_says(tmp_path: Path) -> None:
    command = re.search(r"`(lingma-gateway session pack [^`]+)`", README)
    assert command is not None
    with Program("lingma_sim", ["login", "--workDir", str(tmp_path / "work"), "--uid", "alice"]) as login:
        assert login.wait() == 0
    executable = ROOT / ".venv" / "bin" / "lingma-gateway"
    words = shlex.split(command[1])[1:]
    environment = {"LINGMA_WORK_DIR": str(tmp_path / "work"), "PATH": "/usr/bin:/bin"}
    subprocess.run([executable, *words], cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert {"id", "user"} <= bundle.unpack((tmp_path / "alice.tgz").read_bytes()).files.keys()


def test_every_page_that_is_linked_is_there() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / link).exists(), link
