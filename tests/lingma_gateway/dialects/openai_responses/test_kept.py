"""What is stored of a response, and how it is shown."""

import json
from typing import Any

import pytest

from lingma_contract.ids import item_place
from lingma_gateway.dialects.openai_responses import kept
from lingma_gateway.dialects.openai_responses.kept import Listing
from lingma_gateway.errors import InvalidRequest, NotFound
from tests.lingma_gateway.support_responses import RESPONSE_ID

BODY = RESPONSE_ID[5:]
ANSWER = json.dumps(
    {"output": [{"id": f"msg_{BODY}_0", "type": "message", "role": "assistant", "content": []}]}
).encode()


def stored(*items: dict[str, Any], **referenced: dict[str, Any]) -> bytes:
    return kept.request_items(items, referenced, RESPONSE_ID)


def page(items: bytes, **query: str) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(kept.listed(items, Listing.parse(query)))
    return decoded


SEVEN = stored(*({"role": "user", "content": str(number)} for number in range(7)))


def numbers(listing: dict[str, Any]) -> str:
    return "".join(item["content"][0]["text"] for item in listing["data"])


def test_items_are_stored_with_ids_and_in_full() -> None:
    items = json.loads(
        stored(
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Ho", "id": "msg_mine", "status": None},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "?"}]},
            {"type": "function_call_output", "call_id": "c1", "output": "x"},
            {"type": "hologram"},
        )
    )
    assert [item["id"] for item in items] == [
        f"msg_{BODY}_i0",
        "msg_mine",
        f"msg_{BODY}_i2",
        f"fco_{BODY}_i3",
        f"item_{BODY}_i4",
    ]
    assert items[0]["content"] == [{"type": "input_text", "text": "Hi"}]
    assert items[1]["content"] == [{"type": "output_text", "text": "Ho", "annotations": []}]
    assert {item.get("status") for item in items[:3]} == {"completed"}
    assert items[0]["type"] == "message"


def test_a_reference_is_stored_as_what_it_stands_for() -> None:
    found = {"id": "msg_a", "role": "user", "content": "Hi"}
    (item,) = json.loads(stored({"type": "item_reference", "id": "msg_a"}, {"id": "msg_gone"}, msg_a=found))
    assert (item["id"], item["content"][0]["text"]) == ("msg_a", "Hi")


def test_the_history_is_what_was_asked_and_what_was_answered() -> None:
    assert [item["role"] for item in kept.history(stored({"role": "user", "content": "Hi"}), ANSWER)] == [
        "user",
        "assistant",
    ]


def test_items_are_found_by_the_ids_that_a_response_gave_them() -> None:
    asked, answered, foreign = f"msg_{BODY}_i0", f"msg_{BODY}_0", "msg_foreign"
    places = kept.references([asked, answered, foreign])
    assert places.keys() == {asked, answered}
    items = stored({"role": "user", "content": "Hi"})
    assert (kept.item_at(places[asked], asked, items, ANSWER) or {})["role"] == "user"
    assert (kept.item_at(places[answered], answered, items, ANSWER) or {})["role"] == "assistant"
    other = item_place(f"rs_{BODY}_0")
    assert other is not None
    assert kept.item_at(other, f"rs_{BODY}_0", items, ANSWER) is None


def test_a_listing_is_the_latest_first_and_goes_on_after_an_item() -> None:
    first = page(SEVEN, limit="3")
    assert numbers(first) == "654"
    assert first["has_more"]
    second = page(SEVEN, limit="3", after=first["last_id"])
    assert numbers(second) == "321"
    third = page(SEVEN, limit="3", after=second["last_id"])
    assert (numbers(third), third["has_more"], third["first_id"]) == ("0", False, third["last_id"])


def test_a_listing_may_be_the_earliest_first() -> None:
    assert numbers(page(SEVEN, order="asc")) == "0123456"


def test_a_listing_may_be_empty() -> None:
    listing = page(SEVEN, after=json.loads(SEVEN)[0]["id"])
    assert listing == {"object": "list", "data": [], "has_more": False, "first_id": "", "last_id": ""}


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"limit": "²"}, "limit"),
        ({"limit": "9" * 5000}, "limit"),
        ({"order": "up"}, "order"),
    ],
)
def test_a_query_that_openai_refuses_is_refused_by_name(query: dict[str, str], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Listing.parse(query)
    assert caught.value.param == param


def test_a_listing_after_nothing_is_not_found() -> None:
    with pytest.raises(NotFound, match="msg_x"):
        page(SEVEN, after="msg_x")


def test_what_was_deleted_is_said_in_openais_form() -> None:
    assert json.loads(kept.deleted("resp_1")) == {"id": "resp_1", "object": "response", "deleted": True}
