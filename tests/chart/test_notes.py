"""What Helm prints after an install. `helm template` renders no notes: a ConfigMap carries their text."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.chart.support import CHART, Helm

AS_OBJECT = """apiVersion: v1
kind: ConfigMap
metadata:
  name: notes
data:
  text: |
{{ tpl (.Files.Get "NOTES.txt") . | indent 4 }}
"""


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("chart") / CHART.name
    shutil.copytree(CHART, copy)
    (copy / "templates" / "NOTES.txt").rename(copy / "NOTES.txt")
    (copy / "templates" / "notes.yaml").write_text(AS_OBJECT)
    return copy


def notes(helm: Helm, chart: Path, values: dict[str, Any]) -> str:
    text = helm.render(values, chart=chart).one("ConfigMap", "notes")["data"]["text"]
    assert isinstance(text, str)
    return text


def test_they_say_how_to_wait_to_get_the_key_and_to_chat(helm: Helm, chart: Path) -> None:
    text = notes(helm, chart, {"simulator": {"enabled": True}})
    assert "kubectl -n team-lingma rollout status deployment/lingma-operator deployment/lingma-router" in text
    assert "kubectl -n team-lingma wait --for=condition=Ready lingmaaccount/alice" in text
    assert "get secret lingma-api-keys" in text
    assert "port-forward service/lingma 8317:80" in text
    assert "http://lingma.team-lingma.svc/v1" in text


def test_the_key_stays_off_command_lines(helm: Helm, chart: Path) -> None:
    assert "-H @lingma.header" in notes(helm, chart, {})


def test_they_name_the_users_own_secret_and_service(helm: Helm, chart: Path) -> None:
    own = {"apiKeys": {"existingSecret": "ours"}, "router": {"service": {"name": "ai", "port": 8080}}}
    text = notes(helm, chart, own)
    assert "Secret ours" in text and "get secret ours" in text
    assert "http://ai.team-lingma.svc:8080/v1" in text


@pytest.mark.parametrize(
    ("values", "warning"),
    [
        ({}, "neither lingma.image nor simulator.enabled is set"),
        ({"simulator": {"enabled": True}}, "accounts are simulated"),
        ({"lingma": {"image": "x"}, "crds": {"keep": False}}, "deletes the CRD and every LingmaAccount"),
    ],
)
def test_they_warn_of_what_would_surprise(helm: Helm, chart: Path, values: dict[str, Any], warning: str) -> None:
    text = notes(helm, chart, values)
    assert warning in text and text.count("WARNING") == 1


def test_they_warn_of_nothing_when_a_real_lingma_is_set(helm: Helm, chart: Path) -> None:
    assert "WARNING" not in notes(helm, chart, {"lingma": {"image": "example.test/lingma:1"}})
