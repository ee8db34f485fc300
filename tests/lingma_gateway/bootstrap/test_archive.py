import io
import zipfile
from pathlib import Path

import pytest

from lingma_gateway.bootstrap import archive
from lingma_gateway.bootstrap.errors import BootstrapError
from tests.lingma_gateway.bootstrap.support import FILES, HELPER, LINGMA, VERSION, vsix
from tests.lingma_gateway.bootstrap.support import archive as packed

LINUX = "x86_64_linux"


def opened(data: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(data))


def test_a_vsix_holds_a_folder_for_each_architecture(tmp_path: Path) -> None:
    with archive.nested(io.BytesIO(vsix())) as binaries:
        where = archive.layout(binaries, LINUX)
        assert where.version == VERSION
        archive.unpack(binaries, where, tmp_path)
    assert (tmp_path / "Lingma").read_bytes() == LINGMA
    assert (tmp_path / "LingmaLocal").read_bytes() == HELPER
    assert (tmp_path / "lib" / "extra.txt").read_bytes() == b"extra"
    modes = {name: (tmp_path / name).stat().st_mode & 0o777 for name in ("Lingma", "LingmaLocal", "lib/extra.txt")}
    assert modes == {"Lingma": 0o755, "LingmaLocal": 0o755, "lib/extra.txt": 0o600 | 0o044}


def test_the_jar_of_the_jetbrains_plugin_may_leave_out_the_version() -> None:
    files = {f"{LINUX}/Lingma": LINGMA, f"{LINUX}/LingmaLocal": HELPER}
    with archive.nested(io.BytesIO(vsix(files, nested="binaries/lingma.zip"))) as binaries:
        where = archive.layout(binaries, LINUX)
    assert where == archive.Layout("unknown", {"Lingma": f"{LINUX}/Lingma", "LingmaLocal": f"{LINUX}/LingmaLocal"})


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["extension/package.json"], "it is no Lingma plugin"),
        (["x/extension/dist/bin/lingma-1.zip"], "it is no Lingma plugin"),
        (["extension/dist/bin/lingma-1.zip", "extension/dist/bin/lingma-2.zip"], "several binaries"),
    ],
)
def test_what_is_no_plugin_is_refused(names: list[str], reason: str) -> None:
    with pytest.raises(BootstrapError, match=reason):
        archive.nested_name(names)


@pytest.mark.parametrize("data", [b"", b"no zip", vsix()[:-30], packed({"binaries/lingma.zip": b"no zip"})])
def test_a_damaged_archive_is_refused(data: bytes) -> None:
    with pytest.raises(BootstrapError, match="cannot be unpacked"), archive.nested(io.BytesIO(data)):
        raise AssertionError


def test_a_damaged_member_is_refused(tmp_path: Path) -> None:
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w") as plain:
        for name, content in FILES.items():
            plain.writestr(name, content)
    outer = packed({"binaries/lingma.zip": stored.getvalue().replace(b"echo lingma", b"echo LINGMA")})
    with pytest.raises(BootstrapError, match="Bad CRC-32"), archive.nested(io.BytesIO(outer)) as binaries:
        archive.unpack(binaries, archive.layout(binaries, LINUX), tmp_path)


@pytest.mark.parametrize(
    "name",
    ["../evil", "/etc/evil", f"{VERSION}/{LINUX}/../../../evil", "a\\..\\evil", "C:/evil", "."],
)
def test_an_archive_with_an_unsafe_name_is_refused(name: str) -> None:
    with pytest.raises(BootstrapError, match="unsafe name"):
        archive.layout(opened(packed({**FILES, name: b"x"})), LINUX)


def test_an_archive_with_a_link_is_refused() -> None:
    with pytest.raises(BootstrapError, match="no plain file"):
        archive.layout(opened(packed(FILES, {f"{VERSION}/{LINUX}/link": "/etc/passwd"})), LINUX)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_with_a_file_twice_is_refused() -> None:
    raw = io.BytesIO(packed(FILES))
    with zipfile.ZipFile(raw, "a") as again:
        again.writestr(f"{VERSION}/{LINUX}/Lingma", b"other")
    with pytest.raises(BootstrapError, match="twice"):
        archive.layout(opened(raw.getvalue()), LINUX)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({f"{VERSION}/{LINUX}": b"a file"}, "no Lingma for x86_64_linux"),
        ({f"{VERSION}/{LINUX}/LingmaLocal": b"x"}, "no Lingma for"),
        ({f"{VERSION}/{LINUX}/Lingma": b"x"}, "no LingmaLocal"),
        ({f"{v}/{LINUX}/Lingma": b"x" for v in ("1", "2")}, "several versions: 1, 2"),
        ({f"-rf/{LINUX}/Lingma": b"x"}, "is no version"),
    ],
)
def test_an_archive_without_one_whole_lingma_is_refused(files: dict[str, bytes], reason: str) -> None:
    with pytest.raises(BootstrapError, match=reason):
        archive.layout(opened(packed(files)), LINUX)


def test_an_archive_of_too_many_files_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_FILES", 2)
    with pytest.raises(BootstrapError, match="more than 2 files"):
        archive.layout(opened(packed(FILES)), LINUX)


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", len(LINGMA) + 3)
    binaries = opened(packed(FILES))
    with pytest.raises(BootstrapError, match="too large when unpacked"):
        archive.unpack(binaries, archive.layout(binaries, LINUX), tmp_path)


def test_a_name_that_is_a_file_and_a_folder_is_refused(tmp_path: Path) -> None:
    binaries = opened(packed({**FILES, f"{VERSION}/{LINUX}/Lingma/x": b"x"}))
    with pytest.raises(BootstrapError, match="both as a file and as a folder"):
        archive.unpack(binaries, archive.layout(binaries, LINUX), tmp_path)
