import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import processes
from tests.cluster.processes import Identity, Processes

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)",
]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path / "processes", tmp_path / "logs")
    yield made
    made.kill_all()


def test_a_started_process_is_known_again(folder: Processes) -> None:
    folder.start("etcd", SLEEP, os.environ)
    identity = folder.identity("etcd")
    assert identity is not None and identity.alive()
    assert os.getsid(identity.pid) == identity.pid  # it outlives the terminal of who started it
    folder.stop("etcd")
    assert not identity.alive()
    assert folder.identity("etcd") is None
    assert folder.names() == []


@pytest.mark.parametrize("change", [{"started": 1}, {"boot": "another"}], ids=["start time", "boot"])
def test_a_stranger_under_the_same_pid_is_neither_taken_for_ours_nor_ended(
    change: dict[str, int | str], folder: Processes, tmp_path: Path
) -> None:
    folder.start("etcd", SLEEP, os.environ)
    stranger = folder.identity("etcd")
    assert stranger is not None
    recorded = dataclasses.asdict(stranger) | change
    (tmp_path / "processes" / "old.json").write_text(json.dumps(recorded))
    assert folder.identity("old") is None
    folder.stop("old")
    processes.kill([Identity(**recorded)])
    assert stranger.alive()


def test_one_that_does_not_listen_is_killed(folder: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "TERM_SECONDS", 0.1)
    child = subprocess.Popen(DEAF, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()  # it ignores the signal from here on
    identity = processes.identify(child.pid)
    assert identity is not None
    processes.end([identity])
    assert not identity.alive()
    child.stdout.close()
    assert child.wait() == -9


def test_a_zombie_is_not_running() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, and not yet collected
    assert processes.started(child.pid) is None
    child.wait()


def test_a_torn_record_counts_as_none(folder: Processes, tmp_path: Path) -> None:
    (tmp_path / "processes").mkdir()
    (tmp_path / "processes" / "etcd.json").write_text('{"pid": 1')
    assert folder.identity("etcd") is None


def test_what_it_says_goes_to_its_log(folder: Processes) -> None:
    folder.start("talker", [sys.executable, "-c", "print('one'); print('two')"], os.environ)
    identity = folder.identity("talker")
    if identity is not None:
        os.waitid(os.P_PID, identity.pid, os.WEXITED | os.WNOWAIT)
    assert processes.tail(folder.log("talker"), lines=1) in {"two", ""}
    assert processes.tail(folder.log("nobody")) == "(no log)"
