import json
import os
from pathlib import Path

from lingma_gateway.capture.announce import announced
from lingma_gateway.lingma import infofile


def test_clients_find_the_tap_while_it_runs(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with announced(folder, 4711):
        info = infofile.read(folder)
        assert info is not None
        assert (info.port, info.pid) == (4711, os.getpid())
        assert (folder / ".info").stat().st_mode & 0o777 == 0o600
        assert not (folder / ".info.json").exists()
    assert list(folder.iterdir()) == []


def test_what_was_there_before_comes_back(tmp_path: Path) -> None:
    (tmp_path / ".info").write_text("37010\n1\n/run/pipe\n")
    (tmp_path / ".info.json").write_text('{"websocketPort": 37010}')
    with announced(tmp_path, 4711):
        assert json.loads((tmp_path / ".info.json").read_text()) == {"websocketPort": 4711, "pid": os.getpid()}
    assert (tmp_path / ".info").read_text() == "37010\n1\n/run/pipe\n"
    assert (tmp_path / ".info.json").read_text() == '{"websocketPort": 37010}'


def test_what_a_new_lingma_wrote_meanwhile_stays(tmp_path: Path) -> None:
    (tmp_path / ".info").write_text("37010\n1\n")
    with announced(tmp_path, 4711):
        (tmp_path / ".info").write_text("37011\n2\n")
    assert (tmp_path / ".info").read_text() == "37011\n2\n"
    with announced(tmp_path, 4711):
        (tmp_path / ".info").unlink()
    assert list(tmp_path.iterdir()) == []
