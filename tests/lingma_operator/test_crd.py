"""The CustomResourceDefinition: equal to the committed file, and in the form that the API server takes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lingma_operator.cli import main
from lingma_operator.crd import definition, rendered

FILE = Path(__file__).parents[2] / "crds" / "lingmaaccounts.lingma.dev.yaml"
SCHEMA = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for part in ("items", "additionalProperties"):
        if part in schema:
            yield from nodes(schema[part], f"{path}[]")


def test_the_committed_file_is_what_the_models_say() -> None:
    assert FILE.read_text() == rendered(), "run: .venv/bin/lingma-operator crd > crds/lingmaaccounts.lingma.dev.yaml"


def test_the_command_prints_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crd"]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == definition()


@pytest.mark.parametrize(
    ("path", "schema"), list(nodes(SCHEMA)), ids=lambda value: value if str(value) == value else ""
)
def test_every_node_is_structural(path: str, schema: dict[str, Any]) -> None:
    assert not {"$ref", "$defs", "title", "allOf", "oneOf"} & schema.keys()
    assert "type" in schema or schema.get("x-kubernetes-int-or-string")
    assert schema.get("additionalProperties") is not False
    assert {"type": "null"} not in schema.get("anyOf", [])


def test_every_field_of_spec_and_status_is_described() -> None:
    spec_and_status = [*nodes(SCHEMA["properties"]["spec"], "spec"), *nodes(SCHEMA["properties"]["status"], "status")]
    bare = [path for path, schema in spec_and_status if "[]" not in path and "description" not in schema]
    assert bare == []


def test_text_and_lists_are_bounded_so_that_validation_rules_have_a_cost() -> None:
    unbounded = [
        path
        for path, schema in nodes(SCHEMA["properties"]["spec"], "spec")
        if (schema.get("type") == "string" and not {"maxLength", "enum"} & schema.keys())
        or (schema.get("type") == "array" and "maxItems" not in schema)
    ]
    assert unbounded == []


def test_conditions_merge_by_type_so_that_two_writers_do_not_undo_each_other() -> None:
    conditions = SCHEMA["properties"]["status"]["properties"]["conditions"]
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]


def test_messages_of_the_rules_name_the_field() -> None:
    messages = [rule["message"] for _, node in nodes(SCHEMA) for rule in node.get("x-kubernetes-validations", [])]
    assert messages
    assert all(message.startswith(("metadata.name", "spec.gateway.env", "spec.lingma.")) for message in messages)
