"""docs/api.md says what becomes of each field as the parsers do it."""

import re
from pathlib import Path

import pytest

from lingma_contract import errors
from lingma_contract.errors import Dialect, Fault
from lingma_gateway.dialects.anthropic.fields import FIELDS as MESSAGES
from lingma_gateway.dialects.openai_chat import FIELDS as CHAT
from lingma_gateway.dialects.openai_responses.fields import FIELDS as RESPONSES
from lingma_gateway.dialects.treatment import Fields, Treatment

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
TABLES: dict[str, Fields] = {"Chat completions": CHAT, "Messages": MESSAGES, "Responses": RESPONSES}
"""The fields that a parser knows, by the heading of its API."""


def rows(heading: str, head: str) -> list[list[str]]:
    """The cells of the table that begins with `head`, under a heading."""
    section = PAGE.partition(f"\n{heading}\n")[2].partition("\n## ")[0]
    lines = section.partition(f"\n{head}\n")[2].splitlines()[1:]
    table = lines[: next((number for number, line in enumerate(lines) if not line.startswith("|")), len(lines))]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


@pytest.mark.parametrize("api", TABLES)
def test_the_table_of_an_api_names_each_field_that_its_parser_knows_and_what_becomes_of_it(api: str) -> None:
    shown: dict[str, str] = {}
    for names, treatment, _ in rows(f"## {api}", "| field | what becomes of it | how |"):
        for name in re.findall(r"`([^`]+)`", names):
            assert name not in shown, f"{name} stands there twice"
            shown[name] = treatment
    assert shown == {name: treatment.value for name, treatment in TABLES[api].items()}


@pytest.mark.parametrize("treatment", Treatment)
def test_each_word_of_the_tables_is_explained(treatment: Treatment) -> None:
    assert f"- **{treatment.value}**: " in PAGE


def test_the_errors_of_anthropics_form_are_those_of_the_contract() -> None:
    shown = {(int(status), kind.strip("`")) for status, kind, _ in rows("## Messages", "| status | type | when |")}
    faults = {fault for fault in vars(errors).values() if isinstance(fault, Fault) and fault.details is None}
    known = {(fault.status_in(Dialect.ANTHROPIC), fault.anthropic_type) for fault in faults}
    # Of other routes (admin, upgrades, proxies), or a defect of ours.
    assert known - shown == {
        (403, "permission_error"),
        (408, "invalid_request_error"),
        (409, "invalid_request_error"),
        (426, "invalid_request_error"),
        (500, "api_error"),
        (503, "api_error"),
    }
    assert shown <= known


def test_the_codes_of_openais_form_are_those_of_the_contract() -> None:
    table = rows("## What all have alike", "| status | code | whose fault, and what helps |")
    shown = {(int(status[:3]), code) for status, codes, _ in table for code in re.findall(r"`(\w+)`", codes)}
    faults = [fault for fault in vars(errors).values() if isinstance(fault, Fault)]
    known = {(fault.status, fault.code) for fault in faults if fault.code is not None}
    # Of one API alone, or of other routes (admin, upgrades), or of the router.
    assert known - shown == {
        (400, "missing_required_parameter"),
        (400, "previous_response_not_found"),
        (400, "thread_unsupported_request"),
        (403, "forbidden"),
        (408, "request_timeout"),
        (409, "conflict"),
        (426, "upgrade_required"),
        (500, "session_not_packed"),
        (503, "not_configured"),
    }
    assert shown <= known
