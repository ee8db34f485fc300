"""docs/operator.md says what the code does."""

import re
from pathlib import Path
from typing import Any

import pytest

from lingma_contract.health import LoginReason
from lingma_operator.conditions import ConditionType, judge
from lingma_operator.crd import definition
from lingma_operator.observed import SessionFinding
from lingma_operator.settings import Settings
from tests.lingma_operator.support import observed
from tests.lingma_operator.test_conditions import CASES

PAGE = (Path(__file__).parents[2] / "docs" / "operator.md").read_text()
NAMED = set(re.findall(r"`([^`\n]+)`", PAGE))
SPEC = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]


def leaves(schema: dict[str, Any], path: str = "") -> list[str]:
    if path.endswith("resources") or "properties" not in schema:
        return [path]
    return [leaf for name, child in schema["properties"].items() for leaf in leaves(child, f"{path}.{name}".strip("."))]


@pytest.mark.parametrize("field", leaves(SPEC))
def test_every_field_of_the_spec_is_documented(field: str) -> None:
    assert field in NAMED


@pytest.mark.parametrize("variable", [str(field.alias) for field in Settings.model_fields.values()])
def test_every_setting_is_documented(variable: str) -> None:
    assert variable in NAMED


def test_every_condition_and_reason_is_documented() -> None:
    reasons = {verdict.reason for changes, _ in CASES.values() for verdict in judge(observed(**changes))}
    reasons |= {reason.value for reason in LoginReason} | {finding.value for finding in SessionFinding}
    reasons |= {type_.value for type_ in ConditionType}
    assert reasons - NAMED == set()
