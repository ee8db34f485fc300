import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lingma_contract import jsonlog


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, put back as it was."""
    logger = logging.getLogger()
    handlers, level = list(logger.handlers), logger.level
    yield logger
    logger.handlers[:] = handlers
    logger.setLevel(level)


def formatted(record: logging.LogRecord, **constant: Any) -> dict[str, Any]:
    line = jsonlog.JsonFormatter(constant).format(record)
    assert "\n" not in line
    parsed: dict[str, Any] = json.loads(line)
    return parsed


def record(message: str, fields: object = None, exc_info: Any = None) -> logging.LogRecord:
    made = logging.LogRecord("lingma.test", logging.WARNING, "path", 1, message, None, exc_info)
    made.created = 1_700_000_000.25
    if fields is not None:
        made.fields = fields
    return made


def test_an_event_is_one_json_line_with_its_fields_and_the_constant_ones(root: logging.Logger) -> None:
    stream = io.StringIO()
    jsonlog.configure("info", {"program": "test"}, stream)
    jsonlog.event(logging.getLogger("lingma.test"), "turn_done", tokens=3, reason=None, name="alice")
    line = json.loads(stream.getvalue())
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "logger": "lingma.test",
        "event": "turn_done",
        "program": "test",
        "tokens": 3,
        "name": "alice",
    }


def test_the_time_is_rfc_3339_in_utc_with_milliseconds() -> None:
    assert formatted(record("x"))["time"] == "2023-11-14T22:13:20.250Z"


def test_lines_below_the_level_are_not_written(root: logging.Logger) -> None:
    stream = io.StringIO()
    jsonlog.configure("warning", stream=stream)
    jsonlog.event(logging.getLogger("lingma.test"), "quiet")
    jsonlog.event(logging.getLogger("lingma.test"), "loud", level=logging.ERROR)
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["loud"]


def test_lines_go_to_standard_output_by_default_and_to_nothing_else(
    root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    jsonlog.configure("info")
    jsonlog.configure("info")
    jsonlog.event(logging.getLogger("lingma.test"), "once")
    captured = capsys.readouterr()
    assert captured.out.count("once") == 1
    assert captured.err == ""


def test_an_unknown_level_is_refused(root: logging.Logger) -> None:
    with pytest.raises(ValueError, match="LOUD"):
        jsonlog.configure("loud", stream=io.StringIO())


def test_an_exception_is_a_field_with_its_traceback() -> None:
    try:
        raise KeyError("missing")
    except KeyError as error:
        line = formatted(record("failed", exc_info=(KeyError, error, error.__traceback__)))
    assert line["error"] == "KeyError"
    assert "test_jsonlog" in line["traceback"]


def test_exc_info_outside_of_an_exception_adds_nothing() -> None:
    assert "error" not in formatted(record("fine", exc_info=(None, None, None)))


def test_a_library_that_puts_something_else_into_fields_does_no_harm() -> None:
    assert formatted(record("fine", fields="text"))["event"] == "fine"


def test_a_field_of_any_type_is_written() -> None:
    assert formatted(record("x", {"path": io.StringIO}))["path"].startswith("<class")


@given(st.text())
@example("\ud800")
def test_any_text_is_one_line_that_every_terminal_can_take(text: str) -> None:
    line = jsonlog.JsonFormatter().format(record("x", {"text": text}))
    assert json.loads(line.encode())["text"] == text
    assert "\n" not in line
