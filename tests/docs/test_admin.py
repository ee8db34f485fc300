"""docs/admin.md: its examples are run, its routes, steps and metrics are the real ones."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lingma_contract.names import Metric
from lingma_gateway.smoke.report import Name
from tests.lingma_gateway.commands.support import run
from tests.support.sidecar import ADMIN_TOKEN, Sidecar, sidecar, write_login

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "admin.md").read_text()
EXAMPLES = [line for block in re.findall(r"(?ms)^```sh\n(.*?)^```", PAGE) for line in block.splitlines()]
BY_A_CLUSTER = ("kubectl port-forward pod/alice-gateway-0 8318",)
"""There is none here."""


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    base = tmp_path_factory.mktemp("admin")
    write_login(base / "work")
    with sidecar(base) as running:
        yield running


def words_of(example: str, pod: Sidecar) -> list[str]:
    values = {"$ADMIN_TOKEN": ADMIN_TOKEN, "$GATEWAY": str(pod.admin.base_url), "$WORK_DIR": str(pod.work_dir)}
    for name, value in values.items():
        example = example.replace(name, value)
    return shlex.split(example)


@pytest.mark.parametrize("example", [line for line in EXAMPLES if line.startswith("curl ")])
def test_each_request_is_answered(pod: Sidecar, example: str) -> None:
    _, *words = words_of(example, pod)
    method, headers, urls = "GET", {}, []
    while words:
        match words:
            case ["-X", value, *rest]:
                method = value
            case ["-H", value, *rest]:
                name, _, content = value.partition(": ")
                headers[name] = content
            case [url, *rest]:
                urls.append(url)
        words = rest
    (url,) = urls
    response = httpx.request(method, url.replace("//internal", "/internal"), headers=headers, timeout=70)
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("example", [line for line in EXAMPLES if line.startswith("lingma-gateway ")])
def test_each_command_succeeds(pod: Sidecar, example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("token").write_text(ADMIN_TOKEN)
    _, *words = words_of(example, pod)
    done = run(*words)
    assert done.returncode == 0, done.stderr


def test_every_example_is_run() -> None:
    assert [line for line in EXAMPLES if not line.startswith(("curl ", "lingma-gateway "))] == list(BY_A_CLUSTER)


@pytest.mark.parametrize("name", [name.value for name in Name])
def test_every_step_is_documented(name: str) -> None:
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("name", [name.value for name in Metric if name.value.startswith("gateway_")])
def test_every_metric_of_a_gateway_is_documented(name: str) -> None:
    assert f"`{name}`" in PAGE
