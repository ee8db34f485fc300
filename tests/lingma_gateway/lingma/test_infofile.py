import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.lingma import infofile


def written(work_dir: Path, text: str) -> Path:
    """`.info`, replaced as a whole as Lingma replaces it."""
    temporary = work_dir / "new"
    temporary.write_text(text)
    return temporary.replace(work_dir / infofile.INFO_NAME)


@pytest.mark.parametrize("text", ["37010\n42\n", "37010\n42", "37010\r\n42\r\n", "37010\n42\n/tmp/pipe name\n"])
def test_port_and_pid_stand_on_the_first_two_lines(tmp_path: Path, text: str) -> None:
    written(tmp_path, text)
    info = infofile.read(tmp_path)
    assert info is not None
    assert (info.port, info.pid) == (37010, 42)


@pytest.mark.parametrize("text", ["37010\n", "37010\n\n/tmp/pipe\n", "37010\nnobody\n", "37010\n²\n"])
def test_a_pid_that_cannot_be_read_is_unknown(tmp_path: Path, text: str) -> None:
    written(tmp_path, text)
    info = infofile.read(tmp_path)
    assert info is not None
    assert info.pid is None


@pytest.mark.parametrize(
    "text", ["", "\n", "370", "37010", "no port\n1\n", "0\n1\n", "65536\n1\n", "-1\n1\n", "²\n1\n"]
)
def test_a_file_that_is_only_half_written_is_not_there_yet(tmp_path: Path, text: str) -> None:
    written(tmp_path, text)
    assert infofile.read(tmp_path) is None


def test_no_file_and_no_work_directory_are_not_there_yet(tmp_path: Path) -> None:
    assert infofile.read(tmp_path) is None
    assert infofile.read(tmp_path / "missing") is None
    (tmp_path / "file").touch()
    assert infofile.read(tmp_path / "file") is None


def test_the_version_changes_when_the_file_is_written_anew_with_the_same_content(tmp_path: Path) -> None:
    written(tmp_path, "37010\n42\n")
    first = infofile.read(tmp_path)
    assert first == infofile.read(tmp_path)
    path = written(tmp_path, "37010\n42\n")
    os.utime(path, ns=(1, 1))
    second = infofile.read(tmp_path)
    assert first is not None
    assert second is not None
    assert (first.port, first.pid) == (second.port, second.pid)
    assert first != second


@given(st.text() | st.integers().map(lambda port: f"{port}\n1\n") | st.just("9" * 5000 + "\n1\n"))
def test_no_content_makes_it_fail(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    work_dir = tmp_path_factory.getbasetemp()
    (work_dir / infofile.INFO_NAME).write_text(text, encoding="utf-8", errors="surrogatepass")
    info = infofile.read(work_dir)
    assert info is None or 0 < info.port < 65536


def test_bytes_that_are_no_text_are_not_there_yet(tmp_path: Path) -> None:
    (tmp_path / infofile.INFO_NAME).write_bytes(b"\xff\xfe\n\xff")
    assert infofile.read(tmp_path) is None


def json_written(work_dir: Path, text: str) -> None:
    (work_dir / infofile.JSON_NAME).write_text(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"websocketPort": 36510, "pid": 7, "ipcServerPath": "/tmp/x"}', (36510, 7)),
        ('{"websocketPort": "36510", "pid": "7"}', (36510, 7)),
        ('{"websocketPort": 36510}', (36510, None)),
        ('{"websocketPort": 36510, "pid": true}', (36510, None)),
        ('{"websocketPort": 36510, "pid": -1}', (36510, None)),
    ],
)
def test_builds_for_an_ide_write_json(tmp_path: Path, text: str, expected: tuple[int, int | None]) -> None:
    json_written(tmp_path, text)
    info = infofile.read(tmp_path)
    assert info is not None
    assert (info.port, info.pid) == expected


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"websocketPort": 0}', '{"websocketPort": 65536}', '{"websocketPort": 1.5}', "[" * 99999],
)
def test_json_without_a_port_is_not_there_yet(tmp_path: Path, text: str) -> None:
    json_written(tmp_path, text)
    assert infofile.read(tmp_path) is None


def test_of_two_files_the_one_that_was_written_last_counts(tmp_path: Path) -> None:
    json_written(tmp_path, '{"websocketPort": 36510, "pid": 7}')
    lines = written(tmp_path, "37010\n42\n")
    for seconds, port in ((1, 36510), (2**33, 37010)):
        os.utime(lines, (seconds, seconds))
        info = infofile.read(tmp_path)
        assert info is not None
        assert info.port == port


def test_what_an_earlier_process_left_is_removed(tmp_path: Path) -> None:
    written(tmp_path, "37010\n42\n")
    json_written(tmp_path, '{"websocketPort": 36510}')
    infofile.remove(tmp_path)
    infofile.remove(tmp_path)
    assert infofile.read(tmp_path) is None
    assert list(tmp_path.iterdir()) == []
