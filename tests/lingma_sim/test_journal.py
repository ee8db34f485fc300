import contextlib
import io
import json
import os
from pathlib import Path

from lingma_sim.journal import MASK, Journal, masked


def test_secret_fields_are_masked_wherever_they_are() -> None:
    message = {
        "result": {"security_oauth_token": "a", "refreshToken": "b", "token": "", "name": "alice"},
        "list": [{"Password": "c", "auth": {"deep": "d"}}, "text"],
    }
    assert masked(message) == {
        "result": {"security_oauth_token": MASK, "refreshToken": MASK, "token": "", "name": "alice"},
        "list": [{"Password": MASK, "auth": MASK}, "text"],
    }


def test_secrets_in_addresses_are_masked() -> None:
    url = "http://127.0.0.1:1/lingma/login?nonce=abc&port=1&state=s see token=t"
    assert masked({"url": url}) == {
        "url": f"http://127.0.0.1:1/lingma/login?nonce={MASK}&port=1&state=s see token={MASK}"
    }


def test_the_key_of_a_model_is_no_secret() -> None:
    params = {"modelConfig": {"key": "org_auto"}, "model": {"key": "kmodel", "displayName": "K", "apiKey": "s"}}
    assert masked(params) == {
        "modelConfig": {"key": "org_auto"},
        "model": {"key": "kmodel", "displayName": "K", "apiKey": MASK},
    }
    assert masked({"uid": "alice", "key": "s"}) == {"uid": "alice", "key": MASK}


def test_a_log_line_stays_one_line_and_goes_to_both_places(tmp_path: Path) -> None:
    stderr = io.StringIO()
    journal = Journal(tmp_path / "logs" / "lingma.log", None, stderr)
    journal.log("unknown method: a\nb\ud800")
    journal.frame("in", 1, {"id": 1})
    journal.close()
    written = (tmp_path / "logs" / "lingma.log").read_text()
    assert written.endswith("unknown method: a\\nb?\n")
    assert "unknown method: a\\nb" in stderr.getvalue()


def test_the_log_goes_on_when_nobody_reads_standard_error_any_more(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    stderr = os.fdopen(writer, "w", buffering=1)
    journal = Journal(tmp_path / "log", None, stderr)
    journal.log("one")
    journal.log("two")
    journal.close()
    assert [line.split(" ", 1)[1] for line in (tmp_path / "log").read_text().splitlines()] == ["one", "two"]
    with contextlib.suppress(OSError):  # what it could not write it tries again
        stderr.close()


def test_usage_has_the_form_of_the_captures(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "log", None, io.StringIO())
    journal.usage("r1", 495, 62)
    journal.close()
    assert (
        (tmp_path / "log")
        .read_text()
        .endswith('[TOKEN_USAGE]: {"completion_tokens":62,"prompt_tokens":495,"request_id":"r1","total_tokens":557}\n')
    )


def test_frames_are_recorded_as_json_lines_for_the_owner_only(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "log", tmp_path / "record", io.StringIO())
    journal.frame("out", 2, {"id": 1, "result": {"token": "t"}})
    journal.close()
    assert json.loads((tmp_path / "record").read_text()) == {
        "direction": "out",
        "connection": 2,
        "message": {"id": 1, "result": {"token": MASK}},
    }
    assert (tmp_path / "record").stat().st_mode & 0o777 == 0o600
