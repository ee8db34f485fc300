import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_contract.health import SESSION_FAULTS, Health, InstanceHealth, LoginReason, State

instances = st.builds(
    InstanceHealth,
    name=st.text(),
    state=st.sampled_from(State),
    in_flight=st.integers(min_value=0),
    ready=st.booleans(),
    logged_in=st.booleans(),
    reason=st.sampled_from(LoginReason),
    message=st.text(),
)
reports = st.builds(
    Health, time=st.text(), instances=st.lists(instances, max_size=3).map(tuple), draining=st.booleans()
)

GOOD = {
    "name": "alice",
    "state": "ready",
    "in_flight": 1,
    "ready": True,
    "logged_in": True,
    "reason": "LoggedIn",
    "message": "logged in",
}


@given(reports)
def test_a_report_reads_back_as_it_was(report: Health) -> None:
    assert Health.parse(json.loads(json.dumps(report.as_json()))) == report


@given(reports)
def test_ok_means_that_some_instance_is_ready(report: Health) -> None:
    body = report.as_json()
    assert body["pool_size"] == len(report.instances)
    assert body["pool_ready"] == report.pool_ready
    assert body["ok"] == any(instance.ready for instance in report.instances)


def test_fields_that_are_new_or_not_there_yet_are_passed_over() -> None:
    report = Health.parse({"instances": [{**GOOD, "new": 1}], "more": {}})
    assert report.pool_ready == 1
    assert report.time == ""
    assert not report.draining


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (None, "not an object"),
        ([], "not an object"),
        ({}, "instances"),
        ({"instances": {}}, "instances"),
        ({"instances": [GOOD, 3]}, r"instances\[1\]"),
        ({"instances": [], "time": 3}, "time"),
        ({"instances": [], "draining": "no"}, "draining"),
    ],
)
def test_what_is_no_report_is_refused(body: Any, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Health.parse(body)


@pytest.mark.parametrize("field", GOOD)
def test_a_missing_field_is_named(field: str) -> None:
    item = {key: value for key, value in GOOD.items() if key != field}
    with pytest.raises(ValueError, match=rf"instances\[0\].*{field}"):
        Health.parse({"instances": [item]})


@pytest.mark.parametrize("field", GOOD)
@pytest.mark.parametrize("value", [None, [], {}, 1.5, float("inf"), float("nan")])
def test_a_field_of_the_wrong_type_is_named(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"instances\[0\].*{field}"):
        Health.parse({"instances": [{**GOOD, field: value}]})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("state", "dancing"),
        ("reason", "Whim"),
        ("in_flight", "1"),
        ("in_flight", True),
        ("ready", 1),
        ("ready", "false"),
    ],
)
def test_a_value_that_the_field_cannot_have_is_named(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"instances\[0\].*{field}"):
        Health.parse({"instances": [{**GOOD, field: value}]})


def test_a_new_bundle_cures_no_fault_of_the_network_or_the_licence() -> None:
    assert SESSION_FAULTS.isdisjoint({LoginReason.LOGGED_IN, LoginReason.NETWORK_ERROR, LoginReason.NOT_LICENSED})
