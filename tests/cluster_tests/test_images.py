import subprocess
from pathlib import Path

import pytest

from tests.cluster import base, images, pause
from tests.cluster.engines import ROOT
from tests.cluster.images import DOCKERFILES, Repository, inputs_digest


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in {
        "pyproject.toml": "[project]",
        "gateway/Dockerfile": "FROM x",
        "gateway/lingma_gateway/app.py": "1",
        "operator/lingma_operator/cli.py": "1",
        "requirements/gateway.txt": "a==1",
        "tests/test_x.py": "1",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


CHANGED = ["pyproject.toml", "gateway/Dockerfile", "operator/lingma_operator/new.py", "requirements/gateway.txt"]


@pytest.mark.parametrize("path", CHANGED)
def test_the_tag_changes_with(path: str, tree: Path) -> None:
    before = inputs_digest(tree)
    (tree / path).write_text("2")
    assert inputs_digest(tree) != before


@pytest.mark.parametrize("path", ["tests/test_x.py", "gateway/lingma_gateway/__pycache__/app.pyc", "Makefile"])
def test_the_tag_stays_with(path: str, tree: Path) -> None:
    before = inputs_digest(tree)
    (tree / path).parent.mkdir(exist_ok=True)
    (tree / path).write_text("2")
    assert inputs_digest(tree) == before


def test_content_that_moves_from_one_file_to_the_next_changes_the_tag(tree: Path) -> None:
    before = inputs_digest(tree)
    (tree / "gateway/lingma_gateway/app.py").rename(tree / "gateway/lingma_gateway/zapp.py")
    assert inputs_digest(tree) != before


def test_a_reference_names_the_registry_and_the_inputs() -> None:
    assert Repository().reference("lingma-gateway") == f"localhost/lingma-gateway:{images.image_tag()}"
    assert Repository("r.example/team", "v1").reference("lingma-operator") == "r.example/team/lingma-operator:v1"


FOUND: dict[str, tuple[str, list[str]]] = {
    "an index in a file": ("global.index-url='https://a.example/simple'", ["PIP_INDEX_URL=https://a.example/simple"]),
    "an index in the environment": (":env:.index-url='https://b.example'", ["PIP_INDEX_URL=https://b.example"]),
    "two more": ("global.extra-index-url='\\nhttps://a\\nhttps://b'", ["PIP_EXTRA_INDEX_URL=https://a https://b"]),
    "nothing of interest": ("global.cert='/x.crt'\nglobal.timeout='60'", []),
}


@pytest.mark.parametrize(("listed", "arguments"), FOUND.values(), ids=FOUND.keys())
def test_of_pips_settings_the_build_is_told(listed: str, arguments: list[str]) -> None:
    assert base.pip_arguments(listed) == [f"--build-arg={argument}" for argument in arguments]


def directives(name: str, word: str) -> list[str]:
    text = (ROOT / DOCKERFILES[name]).read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line.startswith(f"{word} ")]


@pytest.mark.parametrize("name", DOCKERFILES)
def test_an_image_runs_as_a_numeric_user_that_is_not_root(name: str) -> None:
    assert directives(name, "USER") == ["USER 65532:65532"]


@pytest.mark.parametrize("name", DOCKERFILES)
def test_the_final_image_takes_no_tool_from_the_building_stages(name: str) -> None:
    assert directives(name, "FROM")[-1] == "FROM runtime"
    assert all(line.endswith(" /opt/lingma") for line in directives(name, "COPY") if "--from" in line)


@pytest.mark.parametrize("name", DOCKERFILES)
def test_what_is_installed_is_locked(name: str) -> None:
    (dependencies,) = (line for line in directives(name, "RUN") if "requirements/" in line)
    assert dependencies.count("--require-hashes") == dependencies.count(" -r ") == 2


def test_the_pause_archive_is_one_named_image() -> None:
    archive = pause.archive(b"program")
    assert b"localhost/pause:1" in archive and b"program" in archive


def test_of_older_images_the_last_few_stay_for_other_checkouts() -> None:
    kept = [f"localhost/lingma-gateway:dev-{number}" for number in range(images.KEPT_OLDER)]
    current = "localhost/lingma-gateway:dev-now"
    others = [
        "localhost/lingma-gateway:v1",
        "localhost/lingma-operator:dev-1",
        "docker.io/library/debian:bookworm-slim",
    ]
    listed = [current, *kept, "localhost/lingma-gateway:dev-old", *others]
    assert images.older(listed, "lingma-gateway", current) == ["localhost/lingma-gateway:dev-old"]


APT_KNOWS = {
    "Debian and its updates": (
        "Debian bookworm http://m/debian/\nDebian bookworm-security http://m/security/\nNode nodistro http://n/\n",
        ("http://m/debian", "http://m/security"),
    ),
    "no security updates": ("Debian bookworm http://m/debian/\n", ("http://m/debian", "")),
}


@pytest.mark.parametrize(("listed", "found"), APT_KNOWS.values(), ids=APT_KNOWS.keys())
def test_packages_come_from_where_this_machines_apt_takes_them(
    listed: str, found: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "attempt", lambda command: subprocess.CompletedProcess(command, 0, listed, ""))
    assert base.mirrors() == found
    assert base.sources(*found).count("URIs:") == len([uri for uri in found if uri])


def test_a_machine_without_debians_packages_is_told_to_pull_the_base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "attempt", lambda command: subprocess.CompletedProcess(command, 127, "", "no apt-get"))
    with pytest.raises(base.BaseFailed, match="no Debian bookworm here.*: pull docker.io/library/debian"):
        base.mirrors()
