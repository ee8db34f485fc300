"""The pure parts of the demo, and what it refuses."""

import stat
from pathlib import Path
from typing import Any

import pytest

from demo.chat import Curl
from demo.kube import holds, watch_events
from demo.release import CHART, simulated


def account(status: str, observed: int) -> dict[str, Any]:
    condition = {"type": "Ready", "status": status, "observedGeneration": observed}
    return {"metadata": {"generation": 2}, "status": {"conditions": [condition]}}


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (account("True", 2), True),
        (account("True", 1), False),
        (account("False", 2), False),
        ({"metadata": {"generation": 1}}, False),
    ],
)
def test_a_condition_counts_when_it_is_about_the_present_generation(seen: dict[str, Any], expected: bool) -> None:
    assert holds(seen, "Ready") is expected


def test_kubectls_warnings_between_watch_events_are_passed_over() -> None:
    lines = ['{"type":"ADDED","object":{}}\n', "Warning: something\n", '{"type":"DELETED","object":{}}\n']
    assert [event["type"] for event in watch_events(iter(lines))] == ["ADDED", "DELETED"]


def test_the_key_is_in_a_file_of_its_owner_and_in_no_argument(tmp_path: Path) -> None:
    curl = Curl("http://router", tmp_path / "files")
    for key in ("sk-one", "sk-two"):
        curl.keep_key(key)
        assert curl.key_file.read_text() == f"Authorization: Bearer {key}\n"
        assert stat.S_IMODE(curl.key_file.stat().st_mode) == 0o600
        assert not any(key in argument for argument in curl.command())


def test_the_values_name_the_images_that_were_built() -> None:
    references = ["registry:5000/a/lingma-gateway:dev-1", "localhost/lingma-operator:dev-1"]
    assert simulated(references, router={"replicas": 1}) == {
        "image": {
            "gateway": {"repository": "registry:5000/a/lingma-gateway", "tag": "dev-1"},
            "operator": {"repository": "localhost/lingma-operator", "tag": "dev-1"},
        },
        "simulator": {"enabled": True},
        "router": {"replicas": 1},
    }


def test_the_chart_is_where_the_demo_looks() -> None:
    assert (CHART / "Chart.yaml").is_file()
