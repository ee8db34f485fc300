"""The running gateway does what its OpenAPI document says: requests made up from it by schemathesis."""

import re
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from lingma_gateway.api import openapi
from tests.lingma_gateway.api.conftest import Gateway

CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    ignored_auth,
    negative_data_rejection,
    unsupported_method,
]
MODELS_FAULTS = ("tool_call_missing", "output_invalid", "the request demands a call of a tool", "did not give what")
"""Codes of OpenAI's form, and words of Anthropic's, which has no codes."""
SLOW = re.compile(r"/internal/(smoke|auto-login/start)$")
"""They ask Lingma for turns and logins of their own."""

SCHEMA = schemathesis.openapi.from_dict(openapi.document("1", with_admin=True))
OPERATIONS = [
    operation
    for operation in (result.ok() for result in SCHEMA.get_all_operations() if isinstance(result, Ok))
    if not SLOW.fullmatch(operation.path)
]
CASES = [
    pytest.param(operation, mode, id=f"{operation.label}-{mode.value}")
    for operation in OPERATIONS
    for mode in GenerationMode
    # What takes nothing cannot be asked wrongly.
    if mode is GenerationMode.POSITIVE or operation.body or operation.query
]


@pytest.mark.parametrize(("operation", "mode"), CASES)
def test_what_is_described_is_what_is_done(operation: Any, mode: GenerationMode, gateway: Gateway) -> None:
    strategy = operation.as_strategy(generation_mode=mode)

    @settings(
        max_examples=15,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
    )
    @given(strategy)
    def check(case: Any) -> None:
        headers = {"Authorization": f"Bearer {gateway.key}"}
        response = case.call(base_url=gateway.url, headers=headers, timeout=20)
        expected = [check for check in CHECKS if check is not not_a_server_error or not _is_the_models_fault(response)]
        case.validate_response(response, checks=expected, headers=headers)

    check()


def _is_the_models_fault(response: Any) -> bool:
    """The simulated model echoes a question that is made up: it calls no tool and keeps to no form, asked twice."""
    return response.status_code == 502 and any(code in response.text for code in MODELS_FAULTS)
