"""compose.yaml, .env.example, the image and the settings agree."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lingma_contract.names import Port
from lingma_gateway import settingsdoc
from lingma_gateway.aliases import DEFAULT_ALIASES
from lingma_gateway.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
VARIABLES = {name.upper(): field for name, field in Settings.model_fields.items()}
BELONG_TO_THE_CONTAINER = {"HOME", "TMPDIR"}


@pytest.fixture
def gateway() -> dict[str, Any]:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    assert list(compose) == ["services"]
    assert list(compose["services"]) == ["gateway"]
    service: dict[str, Any] = compose["services"]["gateway"]
    return service


def dockerfile() -> str:
    return (ROOT / "gateway" / "Dockerfile").read_text()


def test_env_example_is_made_from_the_settings() -> None:
    assert (ROOT / ".env.example").read_text() == settingsdoc.env_example(), "run `make settings`"


def test_the_tables_of_the_documentation_are_made_from_the_settings() -> None:
    page = (ROOT / "docs" / "gateway.md").read_text()
    assert page == settingsdoc.with_table(page), "run `make settings`"


@pytest.mark.parametrize("variable", VARIABLES)
def test_every_setting_says_what_it_means(variable: str) -> None:
    assert VARIABLES[variable].description


def test_env_example_read_as_it_stands_gives_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    lines = [line[1:] for line in settingsdoc.env_example().splitlines() if re.match(r"#[A-Z_]+=", line)]
    for line in lines:
        monkeypatch.setenv(*line.split("=", 1))
    assert Settings() == Settings.model_construct()
    assert len(lines) > 30


def test_the_environment_of_the_container_consists_of_settings_that_can_be_read(
    gateway: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = gateway["environment"]
    assert environment.keys() - BELONG_TO_THE_CONTAINER <= VARIABLES.keys()
    for variable, value in environment.items():
        monkeypatch.setenv(variable, re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value))
    settings = Settings()
    assert settings.host == "0.0.0.0"  # what the container publishes must listen on more than its loopback
    assert settings.port == Port.CLIENT
    assert settings.lingma_work_dir.is_relative_to("/data")
    assert Path(settings.lingma_bin[0]).is_relative_to("/data")


def test_data_is_kept_and_secrets_are_read_only(gateway: dict[str, Any]) -> None:
    assert gateway["volumes"] == ["./data:/data", "./secrets:/secrets:ro"]
    assert gateway["env_file"] == ".env"
    assert gateway["read_only"] is True
    for folder in ("HOME", "LINGMA_WORK_DIR"):
        assert gateway["environment"][folder].startswith("/data/")
    assert gateway["environment"]["TMPDIR"] in gateway["tmpfs"]


def test_the_port_is_published_to_this_machine_only(gateway: dict[str, Any]) -> None:
    assert gateway["ports"] == [f"127.0.0.1:{Port.CLIENT}:{gateway['environment']['PORT']}"]


def test_the_container_is_the_image_of_the_gateway_and_may_drain(gateway: dict[str, Any]) -> None:
    assert gateway["build"] == {"context": ".", "dockerfile": "gateway/Dockerfile"}
    assert gateway["command"] == ["lingma-gateway", "serve"]
    assert int(gateway["stop_grace_period"].removesuffix("s")) > Settings.model_fields["lingma_drain_seconds"].default
    user = re.search(r"^USER (\S+)$", dockerfile(), re.MULTILINE)
    assert user is not None
    assert f"chown {user[1]} data" in (ROOT / "compose.yaml").read_text()


def test_image_and_compose_check_the_same_way(gateway: dict[str, Any]) -> None:
    check = gateway["healthcheck"]
    assert check["test"] == ["CMD", "lingma-gateway", "health"]
    in_the_image = re.search(r'^HEALTHCHECK (.*) CMD \["lingma-gateway", "health"\]$', dockerfile(), re.MULTILINE)
    assert in_the_image is not None
    assert in_the_image[1] == (
        f"--interval={check['interval']} --timeout={check['timeout']} --start-period={check['start_period']}"
    )


def test_the_documentation_lists_the_aliases_that_there_are() -> None:
    rows = re.findall(r"^\| (`.*`) \| the default model \|$", (ROOT / "docs" / "gateway.md").read_text(), re.MULTILINE)
    assert [name for row in rows for name in re.findall(r"`([^`]+)`", row)] == DEFAULT_ALIASES.split(",")
