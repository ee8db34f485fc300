import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster import binaries
from tests.cluster.binaries import RECIPE, Binaries, BuildFailed, Recipe
from tests.cluster.report import Report

TOY = Recipe("toy", "1.0", ((".", "node"),), aliases=("kubelet",))

# What stands in for the compiler: it writes its own environment into the file after -o, unless told to fail.
FAKE_GO = """#!/bin/sh
while [ "$1" != "-o" ]; do shift; done
echo half > "$2"
test ! -e "$FAKE_GO_FAILS" || { echo "go: downloading x"; echo "undefined: apple"; exit 1; }
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe, a cache, and a `go` that takes no minutes."""
    module = tmp_path / "recipes" / "toy"
    module.mkdir(parents=True)
    (module / "go.mod").write_text("module toy\n")
    (module / "go.sum").write_text("a 1\n")
    (module / "main.go").write_text("package main\n")
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(FAKE_GO)
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{go.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_GO_FAILS", str(tmp_path / "fails"))
    monkeypatch.setattr(binaries, "RECIPES", module.parent)
    monkeypatch.setattr(binaries, "RECIPE", {"toy": TOY})
    return tmp_path


CHANGES: dict[str, Callable[[Path], object]] = {
    "another version of a dependency": lambda module: (module / "go.sum").write_text("a 2\n"),
    "another source": lambda module: (module / "main.go").write_text("package main // x\n"),
    "one more source": lambda module: (module / "more.go").write_text("package main\n"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_the_key_changes_with(change: Callable[[Path], object], toy: Path) -> None:
    before = TOY.key()
    change(toy / "recipes" / "toy")
    assert TOY.key() != before


def test_the_key_changes_with_the_flags_and_not_with_a_readme(toy: Path) -> None:
    before = TOY.key()
    (toy / "recipes" / "toy" / "README.md").write_text("words")
    assert TOY.key() == before
    assert Recipe("toy", "1.0", ((".", "node"),), ldflags="-s", aliases=("kubelet",)).key() != before


def test_a_build_fills_the_cache_and_the_second_finds_it(toy: Path) -> None:
    built = Binaries(toy / "cache")
    assert built.missing() == [TOY]
    built.build(Report())
    assert built.missing() == []
    assert built.path("node").read_text() == "half\n"
    assert built.path("kubelet").resolve() == built.path("node")
    (toy / "fails").touch()
    built.build(Report())  # would fail if it compiled


def test_a_failed_build_leaves_no_entry_and_says_what_the_compiler_said(toy: Path) -> None:
    (toy / "fails").touch()
    built = Binaries(toy / "cache")
    with pytest.raises(BuildFailed, match=r"building toy 1\.0 failed: undefined: apple"):
        built.build(Report())
    assert built.missing() == [TOY]
    assert not list((toy / "cache").glob("*toy-*"))


def test_what_an_interrupted_build_left_is_swept_by_the_next(toy: Path) -> None:
    abandoned = toy / "cache" / ".building-toy-abandoned"
    abandoned.mkdir(parents=True)
    (abandoned / "node").write_text("half")
    built = Binaries(toy / "cache")
    assert built.missing() == [TOY]
    built.build(Report())
    assert not abandoned.exists()


def test_every_module_is_pinned_by_its_sums() -> None:
    for recipe in RECIPE.values():
        required = "require" in (recipe.module / "go.mod").read_text()
        assert (recipe.module / "go.sum").exists() == required, recipe.name


def test_the_versions_that_are_named_are_those_that_are_required() -> None:
    for recipe in RECIPE.values():
        if recipe.name != "pause":
            assert f" v{recipe.version}" in (recipe.module / "go.mod").read_text(), recipe.name


def test_each_program_is_built_by_one_recipe() -> None:
    programs = [program for recipe in RECIPE.values() for program in recipe.programs]
    assert len(programs) == len(set(programs))
