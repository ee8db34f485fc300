import os
from pathlib import Path

import pytest

from lingma_gateway.bootstrap.errors import BootstrapError
from lingma_gateway.bootstrap.install import Installed, MinimumSizes, install
from tests.lingma_gateway.bootstrap.support import FILES, LINGMA, VERSION, sum_of, vsix

LINUX = "x86_64_linux"
PLUGIN = vsix()
OTHER = vsix({name.replace(VERSION, "2.12.0"): content + b"2" for name, content in FILES.items() if content})


def run(tmp_path: Path, data: bytes = PLUGIN, *, arch: str = LINUX, small: bool = True) -> Installed:
    plugin = tmp_path / "plugin.vsix"
    plugin.write_bytes(data)
    minimum = MinimumSizes(0, 0) if small else MinimumSizes()
    return install(
        str(plugin), sum_of(data), tmp_path / "bin", arch, minimum=minimum, progress=lambda _size, _total: None
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_lingma_is_found_under_a_name_that_stays(tmp_path: Path) -> None:
    installed = run(tmp_path)
    assert installed == Installed(tmp_path / "bin" / "Lingma", installed.folder, already=False)
    assert installed.folder.name == f"{VERSION}-{LINUX}-{sum_of(PLUGIN)[:12]}"
    assert names(tmp_path / "bin") == [installed.folder.name, "Lingma", "LingmaLocal"]
    assert installed.binary.read_bytes() == LINGMA
    assert os.access(installed.binary, os.X_OK)
    assert os.readlink(installed.binary) == f"{installed.folder.name}/Lingma"
    assert installed.folder.stat().st_mode & 0o777 == 0o755


def test_a_second_run_reads_nothing(tmp_path: Path) -> None:
    first = run(tmp_path)
    (tmp_path / "plugin.vsix").unlink()
    again = install(
        str(tmp_path / "plugin.vsix"),
        sum_of(PLUGIN),
        tmp_path / "bin",
        LINUX,
        minimum=MinimumSizes(),
        progress=lambda _size, _total: None,
    )
    assert again == Installed(first.binary, first.folder, already=True)


def test_versions_and_architectures_stand_side_by_side(tmp_path: Path) -> None:
    first = run(tmp_path)
    second = run(tmp_path, OTHER)
    arm = run(tmp_path, arch="aarch64_linux")
    assert len({first.folder, second.folder, arm.folder}) == 3
    assert first.binary.read_bytes() == b"arm"
    back = run(tmp_path)
    assert back.already
    assert back.binary.read_bytes() == LINGMA


def test_a_folder_that_lost_files_is_made_anew(tmp_path: Path) -> None:
    folder = run(tmp_path).folder
    (folder / "LingmaLocal").unlink()
    again = run(tmp_path)
    assert not again.already
    assert names(folder) == [".sha256", "Lingma", "LingmaLocal", "lib"]
    (folder / ".sha256").write_text("another\n")
    assert not run(tmp_path).already
    (folder / ".sha256").unlink()
    assert not run(tmp_path).already
    assert names(tmp_path / "bin") == [folder.name, "Lingma", "LingmaLocal"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (vsix({}), "no Lingma for"),
        (vsix({**FILES, "../evil": b"x"}), "unsafe name"),
        (b"no zip", "cannot be unpacked"),
    ],
)
def test_nothing_is_written_for_a_bad_archive(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(BootstrapError, match=reason):
        run(tmp_path, data)
    assert names(tmp_path) == ["plugin.vsix"]


def test_nothing_is_written_when_the_sum_is_another(tmp_path: Path) -> None:
    (tmp_path / "plugin.vsix").write_bytes(PLUGIN)
    with pytest.raises(BootstrapError, match=f"SHA-256 is {sum_of(PLUGIN)}, not {'0' * 64}: nothing was installed"):
        install(
            str(tmp_path / "plugin.vsix"),
            "0" * 64,
            tmp_path / "bin",
            LINUX,
            minimum=MinimumSizes(0, 0),
            progress=lambda _size, _total: None,
        )
    assert names(tmp_path) == ["plugin.vsix"]


def test_a_stub_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(BootstrapError, match=f"Lingma has only {len(LINGMA)} bytes"):
        run(tmp_path, small=False)
    assert names(tmp_path / "bin") == []


def test_a_failed_upgrade_leaves_what_was_there(tmp_path: Path) -> None:
    first = run(tmp_path)
    with pytest.raises(BootstrapError):
        run(tmp_path, OTHER, small=False)
    assert names(tmp_path / "bin") == [first.folder.name, "Lingma", "LingmaLocal"]
    assert first.binary.read_bytes() == LINGMA


def test_a_lingma_that_somebody_else_put_there_stays(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "Lingma").write_bytes(b"mine")
    with pytest.raises(BootstrapError, match="was not put there by bootstrap"):
        run(tmp_path)
    assert names(tmp_path / "bin") == ["Lingma"]
