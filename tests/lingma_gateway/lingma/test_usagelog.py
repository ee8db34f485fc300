"""Tokens from Lingma's log."""

from pathlib import Path

import pytest

from lingma_gateway.events import Usage
from lingma_gateway.lingma import usagelog

LINE = (
    b'2026-11-21 info [TOKEN_USAGE]: {"completion_tokens":62,"prompt_tokens":495,"request_id":"r1","total_tokens":557}'
)


def test_the_report_of_the_request_is_used() -> None:
    assert usagelog.find(b"noise\n" + LINE + b"\nmore\n", "r1") == Usage(495, 62, estimated=False)


def test_the_last_of_several_reports_counts() -> None:
    later = LINE.replace(b"62", b"63")
    assert usagelog.find(LINE + b"\n" + later + b"\n", "r1") == Usage(495, 63, estimated=False)


@pytest.mark.parametrize(
    "line",
    [
        LINE.replace(b'"r1"', b'"r2"'),
        LINE.replace(b'"r1"', b'"xr1x"'),
        LINE.replace(b"495", b"-1"),
        LINE.replace(b"62", b"true"),
        LINE.replace(b"557}", b"r1"),
        LINE.replace(b"557}", b"r1}"),
        b"",
    ],
)
def test_anything_else_leaves_the_estimate(line: bytes) -> None:
    assert usagelog.find(line, "r1") is None


def test_only_the_end_of_the_log_is_read(tmp_path: Path) -> None:
    assert usagelog.read(tmp_path, "r1") is None
    (tmp_path / "logs").mkdir()
    log = tmp_path / usagelog.LOG_NAME
    log.write_bytes(b"x" * usagelog.MAX_READ_BYTES + b"\n" + LINE + b"\n")
    assert usagelog.read(tmp_path, "r1") == Usage(495, 62, estimated=False)
    log.write_bytes(LINE + b"\n" + b"x" * usagelog.MAX_READ_BYTES)
    assert usagelog.read(tmp_path, "r1") is None
