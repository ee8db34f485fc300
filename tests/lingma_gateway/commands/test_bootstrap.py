import platform
import subprocess
from pathlib import Path

import pytest

from lingma_gateway.bootstrap import architecture
from lingma_gateway.commands.bootstrap import _Progress
from tests.lingma_gateway.bootstrap.support import HELPER, LINGMA, VERSION, sum_of, vsix
from tests.lingma_gateway.commands.support import run

HERE = architecture.named(platform.system(), platform.machine())


def test_lingma_is_put_where_it_can_be_run(tmp_path: Path) -> None:
    plugin = tmp_path / "lingma.vsix"
    plugin.write_bytes(vsix({f"{VERSION}/{HERE}/Lingma": LINGMA, f"{VERSION}/{HERE}/LingmaLocal": HELPER}))
    sum_ = sum_of(plugin.read_bytes()).upper()
    arguments = ["--vsix", str(plugin), "--sha256", sum_, "--to", str(tmp_path / "bin"), "--allow-small"]
    done = run("bootstrap", *arguments, environment={"GATEWAY_MAX_IN_FLIGHT": "many"})
    assert done.returncode == 0
    assert done.stdout == f"{tmp_path}/bin/Lingma\n".encode()
    assert b"Lingma is in " in done.stderr
    assert subprocess.run([done.stdout.decode().strip()], capture_output=True, check=True).stdout == b"lingma\n"
    again = run("bootstrap", *arguments)
    assert again.stdout == done.stdout
    assert b"Lingma is already in " in again.stderr


def test_what_goes_wrong_is_a_sentence(tmp_path: Path) -> None:
    plugin = tmp_path / "lingma.vsix"
    plugin.write_bytes(vsix())
    arguments = ["--vsix", str(plugin), "--to", str(tmp_path / "bin"), "--arch", "aarch64_linux"]
    stub = run("bootstrap", *arguments, "--sha256", sum_of(plugin.read_bytes()))
    assert (stub.returncode, stub.stdout) == (1, b"")
    assert stub.stderr == b"lingma-gateway: Lingma has only 3 bytes, not 52428800 or more: nothing was installed\n"
    unsummed = run("bootstrap", *arguments)
    assert unsummed.returncode == 2
    assert b"--sha256" in unsummed.stderr
    short = run("bootstrap", *arguments, "--sha256", "abc")
    assert short.returncode == 2
    assert b"64 hexadecimal digits" in short.stderr


def test_progress_is_a_line_for_every_32_megabytes(capsys: pytest.CaptureFixture[str]) -> None:
    progress = _Progress()
    for megabytes in range(0, 100, 4):
        progress(megabytes * 2**20, 100 * 2**20)
    progress(200 * 2**20, None)
    assert capsys.readouterr().err.splitlines() == [
        "read 32 of 100 MB",
        "read 64 of 100 MB",
        "read 96 of 100 MB",
        "read 200 MB",
    ]
