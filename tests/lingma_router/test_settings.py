"""What the router is told by its environment."""

import dataclasses
from pathlib import Path

import pytest

from lingma_router.settings import Settings, SettingsError


def test_the_pods_namespace_is_enough() -> None:
    settings = Settings.from_environ({"POD_NAMESPACE": "lingma"})
    assert settings.namespaces == ("lingma",)
    assert settings.client_port == 8317
    assert settings.drain_s == 300
    assert settings.api_keys_dir == Path("/var/run/lingma/api-keys")


def test_everything_can_be_said() -> None:
    settings = Settings.from_environ(
        {
            "LINGMA_WATCH_NAMESPACES": "a, b,,a",
            "MAX_BODY_BYTES": "2048",
            "LINGMA_LOAD_FACTOR": "2.5",
            "LOG_LEVEL": "DEBUG",
        }
    )
    assert settings.namespaces == ("a", "b")
    assert (settings.max_body_bytes, settings.load_factor, settings.log_level) == (2048, 2.5, "DEBUG")


def test_a_star_means_all_namespaces() -> None:
    assert Settings.from_environ({"LINGMA_WATCH_NAMESPACES": "a,*"}).namespaces == ("*",)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("MAX_BODY_BYTES", "32Mi", "'32Mi' is not a whole number"),
        ("LINGMA_DRAIN_SECONDS", "-1", "is not between 0 and 86400"),
        ("LINGMA_DRAIN_SECONDS", "nan", "is not between"),
        ("LINGMA_LOAD_FACTOR", "much", "'much' is not a number"),
        ("LOG_LEVEL", "loud", "not one of debug"),
    ],
)
def test_a_wrong_value_is_refused_by_its_variables_name(variable: str, value: str, words: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable}: .*{words}"):
        Settings.from_environ({"POD_NAMESPACE": "x", variable: value})


def test_without_any_namespace_nothing_is_guessed() -> None:
    with pytest.raises(SettingsError, match="^POD_NAMESPACE"):
        Settings.from_environ({})


def test_every_setting_is_in_the_docs() -> None:
    text = (Path(__file__).parents[2] / "docs" / "routing.md").read_text()
    source = (Path(__file__).parents[2] / "gateway" / "lingma_router" / "settings.py").read_text()
    for field in dataclasses.fields(Settings):
        variables = [part.split('"')[1] for part in source.split(f"{field.name}=read.")[1:] if '("' in part[:20]]
        assert all(f"`{variable}`" in text for variable in variables), field.name
