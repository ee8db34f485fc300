"""What is stored of a response, and how it is shown: the items of its request, and its answer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from lingma_contract.ids import ItemPlace, item_place
from lingma_gateway.dialects.openai_responses.items import REFERENCE, kind_of
from lingma_gateway.dialects.openai_responses.reading import Json
from lingma_gateway.errors import InvalidRequest, NotFound

MAX_LISTED = 100
DEFAULT_LISTED = 20

_PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
}


@dataclass(frozen=True, slots=True)
class Listing:
    """Which items of a request are asked for."""

    limit: int = DEFAULT_LISTED
    descending: bool = True
    after: str | None = None
    """Id of the item before the first one."""

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> "Listing":
        """From the query of a URL.

        Raises:
            InvalidRequest: a value is not one of those that OpenAI takes.
        """
        order, limit = query.get("order", "desc"), query.get("limit", str(DEFAULT_LISTED))
        if order not in ("asc", "desc"):
            raise InvalidRequest("Invalid value for 'order': expected 'asc' or 'desc'.", param="order")
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MAX_LISTED):
            raise InvalidRequest(f"Invalid 'limit': expected a number from 1 to {MAX_LISTED}.", param="limit")
        return cls(int(limit), order == "desc", query.get("after") or None)


def request_items(items: Iterable[Json], referenced: Mapping[str, Json], response_id: str) -> bytes:
    """The items of a request as they are stored: each with an id, and with what its references stand for."""
    stored = []
    for position, sent in enumerate(items):
        kind = kind_of(sent, "input")
        item = referenced.get(sent["id"]) if kind == REFERENCE else sent
        if item is not None:
            place = ItemPlace(response_id, position, of_input=True)
            stored.append({"id": place.named(_PREFIXES.get(kind_of(item, "input"), "item")), **_in_full(item)})
    return orjson.dumps(stored)


def _in_full(item: Json) -> Json:
    """A message with its type, and its text as a part, as OpenAI lists them."""
    kind = kind_of(item, "input")
    item = {"type": kind, **{name: value for name, value in item.items() if value is not None}}
    if kind != "message":
        return item
    answer = item.get("role") == "assistant"
    content = item.get("content", [])
    if isinstance(content, str):
        content = [{"type": "output_text", "text": content, "annotations": []} if answer else _input_text(content)]
    return {**item, "status": item.get("status", "completed"), "content": content}


def _input_text(text: str) -> Json:
    return {"type": "input_text", "text": text}


def history(items: bytes, response: bytes) -> list[Json]:
    """The items of one stored response, of its request and of its answer, as the input of a later one."""
    return [*orjson.loads(items), *orjson.loads(response)["output"]]


def references(ids: Iterable[str]) -> dict[str, ItemPlace]:
    """Where the items with these ids stand, as far as they are made like ours."""
    places = {id: item_place(id) for id in ids}
    return {id: place for id, place in places.items() if place is not None}


def item_at(place: ItemPlace, id: str, items: bytes, response: bytes) -> Json | None:
    """The item `id` of a stored response, which is at `place`."""
    found = orjson.loads(items) if place.of_input else orjson.loads(response)["output"]
    return next((item for item in found if item["id"] == id), None)


def listed(items: bytes, listing: Listing) -> bytes:
    """One page of the items of a request.

    Raises:
        NotFound: there is no item `after`.
    """
    found = orjson.loads(items)
    if listing.descending:
        found.reverse()
    if listing.after is not None:
        positions = [position for position, item in enumerate(found) if item["id"] == listing.after]
        if not positions:
            raise NotFound(f"Item with id '{listing.after[:64]}' not found.", param="after")
        found = found[positions[0] + 1 :]
    page = found[: listing.limit]
    body: dict[str, Any] = {"object": "list", "data": page, "has_more": len(found) > len(page)}
    body |= {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {"first_id": "", "last_id": ""}
    return orjson.dumps(body)


def deleted(response_id: str) -> bytes:
    """What is answered when a response has been deleted."""
    return orjson.dumps({"id": response_id, "object": "response", "deleted": True})
