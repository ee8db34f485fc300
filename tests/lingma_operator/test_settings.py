"""Settings from the environment."""

import pytest

from lingma_operator.settings import Settings, SettingsError
from tests.lingma_operator.support import settings

LEAST = {"POD_NAMESPACE": "lingma", "LINGMA_GATEWAY_IMAGE": "g"}


def test_two_variables_are_enough() -> None:
    least = Settings.from_environment(LEAST)
    assert least.scope == ("lingma",)
    assert least.lingma_command == ("/opt/lingma/Lingma",)
    assert least.api_keys_secret == ""


@pytest.mark.parametrize(
    ("value", "scope"),
    [("", ("lingma",)), (" , ", ("lingma",)), ("a, b,a", ("a", "b")), ("*", (None,)), ("a,*", (None,))],
)
def test_the_scope_is_the_release_namespace_a_list_or_all(value: str, scope: tuple[str | None, ...]) -> None:
    assert Settings.from_environment({**LEAST, "LINGMA_WATCH_NAMESPACES": value}).scope == scope


def test_lists_and_maps_are_read() -> None:
    read = settings(
        LINGMA_IMAGE_PULL_SECRETS="a,b",
        LINGMA_GATEWAY_ENV='{"X": "1"}',
        LINGMA_MONITORING_LABELS="null",
        LINGMA_COMMAND='["/l", "-x"]',
    )
    assert read.image_pull_secrets == ("a", "b")
    assert (read.gateway_env, read.monitoring_labels) == ({"X": "1"}, {})
    assert read.lingma_command == ("/l", "-x")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("POD_NAMESPACE", ""),
        ("LINGMA_GATEWAY_ENV", "{"),
        ("LINGMA_COMMAND", "[]"),
        ("LINGMA_SIMULATOR", "perhaps"),
        ("LINGMA_WORKERS", "0"),
    ],
)
def test_a_bad_variable_is_named(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        Settings.from_environment({**LEAST, variable: value})


def test_lists_that_are_lists_already_are_taken_as_they_are() -> None:
    values = {**LEAST, "LINGMA_WATCH_NAMESPACES": ("a",), "LINGMA_GATEWAY_ENV": {"X": "1"}}
    made = Settings.model_validate(values)
    assert (made.scope, made.gateway_env) == (("a",), {"X": "1"})
