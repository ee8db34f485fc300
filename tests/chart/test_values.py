"""The schema refuses what the chart does not know, and the README knows every value."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.chart.support import CHART, Helm, Refused

VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
OPAQUE = {"router.resources", "operator.resources"}
"""Values that are one Kubernetes object, described as a whole."""


def leaves(value: Any, path: str = "") -> Iterator[str]:
    """Dotted paths of the values that a user sets; an empty map is one."""
    if isinstance(value, dict) and value and path not in OPAQUE:
        for key, child in value.items():
            yield from leaves(child, f"{path}.{key}".lstrip("."))
    else:
        yield path


def test_the_readme_describes_every_value_and_no_other() -> None:
    rows = re.findall(r"^\| `([A-Za-z.]+)` \| (.*?) \|", (CHART / "README.md").read_text(), re.MULTILINE)
    documented = [name for name, _ in rows]
    assert sorted(documented) == sorted(leaves(VALUES))


def test_the_readme_gives_the_defaults() -> None:
    rows = re.findall(r"^\| `([A-Za-z.]+)` \| `(.*?)` \|", (CHART / "README.md").read_text(), re.MULTILINE)
    for name, text in rows:
        value: Any = VALUES
        for key in name.split("."):
            value = value[key]
        assert yaml.safe_load(text) == value, name


def objects(schema: Any, path: str = "values") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object schema with properties, by its path."""
    if "properties" in schema:
        yield path, schema
        for name, child in schema["properties"].items():
            yield from objects(child, f"{path}.{name}")


def test_every_object_of_the_schema_is_closed() -> None:
    assert {path for path, schema in objects(SCHEMA) if schema.get("additionalProperties") is not False} == set()


def test_the_schema_and_the_values_name_the_same() -> None:
    for path, schema in objects(SCHEMA):
        if path.endswith(".resources"):
            continue
        value = VALUES
        for key in path.split(".")[1:]:
            value = value[key]
        assert schema["properties"].keys() - {"global"} == value.keys(), path


PATHS = [path.removeprefix("values").lstrip(".") for path, _ in objects(SCHEMA)]


@pytest.mark.parametrize("path", PATHS)
def test_an_unknown_value_is_refused_by_name(helm: Helm, path: str) -> None:
    values: dict[str, Any] = {"unheardOf": 1}
    for key in reversed([part for part in path.split(".") if part]):
        values = {key: values}
    with pytest.raises(Refused) as refused:
        helm.render(values)
    assert f"at '{'/' if path else ''}{path.replace('.', '/')}': additional properties 'unheardOf' not allowed" in (
        refused.value.message
    )


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"watch": {"namespaces": "team-a"}}, "/watch/namespaces"),
        ({"watch": {"namespaces": ["Team A"]}}, "/watch/namespaces/0"),
        ({"router": {"replicas": "two"}}, "/router/replicas"),
        ({"router": {"drainSeconds": -1}}, "/router/drainSeconds"),
        ({"router": {"service": {"port": 0}}}, "/router/service/port"),
        ({"router": {"service": {"name": "Not A Name"}}}, "/router/service/name"),
        ({"router": {"env": {"LINGMA_MASTER_DIR": "/tmp"}}}, "/router/env/LINGMA_MASTER_DIR"),
        ({"operator": {"env": {"LOG_LEVEL": "debug"}}}, "/operator/env/LOG_LEVEL"),
        ({"operator": {"logLevel": "loud"}}, "/operator/logLevel"),
        ({"gateway": {"env": {"LINGMA_ACCOUNT": "x"}}}, "/gateway/env/LINGMA_ACCOUNT"),
        ({"gateway": {"env": {"SESSION_CACHE_TTL_SEC": 5}}}, "/gateway/env/SESSION_CACHE_TTL_SEC"),
        ({"lingma": {"command": []}}, "/lingma/command"),
        ({"simulator": {"enabled": "yes"}}, "/simulator/enabled"),
        ({"image": {"gateway": {"repository": "x", "digest": "abc"}}}, "/image/gateway/digest"),
        ({"image": {"pullSecrets": [{"name": "x"}]}}, "/image/pullSecrets/0"),
        ({"commonLabels": {"app.kubernetes.io/name": "x"}}, "/commonLabels/app.kubernetes.io~1name"),
        ({"apiKeys": {"existingSecret": "Not A Name"}}, "/apiKeys/existingSecret"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_by_name(helm: Helm, values: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refused:
        helm.render(values)
    assert f"at '{field}': " in refused.value.message


def test_values_of_a_parent_chart_are_accepted(helm: Helm) -> None:
    assert helm.render({"global": {"imageRegistry": "x"}}).objects
