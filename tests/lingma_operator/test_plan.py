"""plan: what is written, what is left alone, and why."""

from typing import Any

import pytest

from lingma_operator.objects import CHILDREN, Kind, Obj, content, covers, kind_of, stamp, stamped
from lingma_operator.plan import Plan, plan
from tests.lingma_operator.support import account, desired, live, live_children, observed

WANTED = desired(account())


def with_children(children: dict[Kind, Obj]) -> Plan:
    return plan(WANTED, observed(account=account(), children=children), {})


def changed(kind: Kind, **parts: Any) -> dict[Kind, Obj]:
    children = live_children(account())
    children[kind] = {**children[kind], **parts}
    return children


def test_nothing_exists_so_everything_is_applied_in_order() -> None:
    decided = with_children({})
    assert tuple(kind_of(obj) for obj in decided.apply) == CHILDREN
    assert decided.reasons[0] == 'ServiceAccount "alice-gateway" does not exist'


def test_a_world_as_desired_needs_no_write() -> None:
    assert with_children(live_children(account())) == Plan()


def test_defaults_and_status_that_others_add_are_no_drift() -> None:
    children = live_children(account())
    service = children[Kind.SERVICE]
    children[Kind.SERVICE] = {**service, "spec": {**service["spec"], "sessionAffinity": "None"}, "status": {"x": 1}}
    assert with_children(children) == Plan()


def test_a_changed_wish_is_applied() -> None:
    other = desired(account(drainSeconds=7))
    decided = plan(other, observed(account=account(), children=live_children(account())), {})
    assert decided.reasons == ('StatefulSet "alice-gateway" is of an older form',)
    assert decided.apply == (other[-1],)


def test_a_manual_edit_is_repaired() -> None:
    spec = live_children(account())[Kind.STATEFUL_SET]["spec"]
    decided = with_children(changed(Kind.STATEFUL_SET, spec={**spec, "replicas": 3}))
    assert decided.reasons == ('StatefulSet "alice-gateway" was edited',)


def test_a_value_that_the_api_server_writes_in_another_form_is_no_edit() -> None:
    children = changed(Kind.SECRET, type="Other form")
    verified = {Kind.SECRET: content(children[Kind.SECRET])}
    assert plan(WANTED, observed(account=account(), children=children), verified) == Plan()


def test_what_is_no_longer_wanted_is_deleted() -> None:
    decided = plan(WANTED[1:], observed(account=account(), children=live_children(account())), {})
    assert [kind_of(obj) for obj in decided.delete] == [Kind.SERVICE_ACCOUNT]
    assert decided.reasons == ('ServiceAccount "alice-gateway" is no longer wanted',)


def test_what_we_never_applied_is_not_deleted() -> None:
    children = live_children(account())
    metadata = children[Kind.SERVICE_ACCOUNT]["metadata"]
    children[Kind.SERVICE_ACCOUNT] = {**children[Kind.SERVICE_ACCOUNT], "metadata": {**metadata, "annotations": None}}
    assert plan(WANTED[1:], observed(account=account(), children=children), {}) == Plan()


def test_an_object_of_someone_else_is_never_taken_over_and_stops_all_writes() -> None:
    decided = with_children({Kind.SECRET: {"metadata": {"name": "alice-gateway"}}})
    assert decided == Plan(conflicts=('Secret "alice-gateway"',))


@pytest.mark.parametrize(
    "metadata",
    [
        {"deletionTimestamp": "now"},
        {"ownerReferences": [{"controller": True, "uid": "old", "kind": "LingmaAccount", "name": "alice"}]},
    ],
    ids=["being deleted", "of a deleted account of the same name"],
)
def test_what_is_on_its_way_out_is_waited_for(metadata: dict[str, Any]) -> None:
    decided = with_children({Kind.SERVICE: live(WANTED[2], **metadata)})
    assert decided == Plan(waiting=('Service "alice-gateway"',))


def test_lists_that_grew_were_edited() -> None:
    assert covers({"a": [1, 2]}, {"a": [1, 2]})
    assert not covers({"a": [1, 2, 3]}, {"a": [1, 2]})
    assert not covers({"a": None}, {"a": [1]})
    assert not covers("a", {"a": 1})


def test_the_stamp_is_of_what_is_desired() -> None:
    bare: Obj = {"metadata": {"name": "a", "annotations": {"x": "y"}}}
    assert stamp(bare) is None
    assert stamped(bare)["metadata"]["annotations"]["x"] == "y"


def test_an_unknown_kind_is_no_child_of_ours() -> None:
    with pytest.raises(KeyError, match="batch/v1 Job"):
        kind_of({"apiVersion": "batch/v1", "kind": "Job"})
