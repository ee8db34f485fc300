"""A request for a response: a body in, a Turn out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lingma_gateway.conversation import Message, OutputFormat, Role, Text, Turn
from lingma_gateway.dialects.openai_responses import reading
from lingma_gateway.dialects.openai_responses.echo import echo
from lingma_gateway.dialects.openai_responses.fields import FIELDS
from lingma_gateway.dialects.openai_responses.items import REFERENCE, ItemReader, kind_of
from lingma_gateway.dialects.openai_responses.reading import Json, array, at, boolean, obj, optional_text, required_text
from lingma_gateway.dialects.openai_responses.tools import Offer
from lingma_gateway.dialects.treatment import ignored
from lingma_gateway.errors import InvalidRequest, MissingParameter

_REFUSED = {
    "background": "background must be false: a response lives as long as its request here",
    "conversation": "conversations are not kept here: use previous_response_id, or send the whole conversation",
    "prompt": "prompt templates are not kept here: send instructions and input",
}
_NO_EFFECT: Json = {"truncation": "disabled", "top_logprobs": 0}
"""Values that ask for what happens anyway."""


@dataclass(frozen=True, slots=True)
class ResponsesRequest:
    """A request whose stored part, if it names any, is still to be looked up."""

    fields: Json
    """The body."""
    items: tuple[Json, ...]
    """The input, a string being a message."""
    previous_response_id: str | None
    references: tuple[str, ...]
    """Ids of stored items that stand in the input."""
    stream: bool
    store: bool
    shows_reasoning: bool
    """`reasoning.summary` asks for it. Without, the first item of an answer is its text, which much code relies on."""
    echo: bytes
    """The fields that a response repeats, as a JSON object."""

    def turn(self, history: Iterable[Json], referenced: Mapping[str, Json]) -> Turn:
        """The Turn, behind the items of the earlier responses and with these stored items for references.

        Raises:
            InvalidRequest: the request is malformed; `param` names the field.
        """
        reader = ItemReader(referenced)
        reader.read(history, "previous")
        reader.read(self.items, "input")
        offer, unheeded = Offer(), []
        offer.read((tool, f"tools[{each}]") for each, tool in enumerate(array(self.fields.get("tools"), "tools")))
        offer.read(reader.tools)
        choice, without_effect = offer.choice(self.fields.get("tool_choice"))
        if without_effect:
            unheeded.append("tool_choice")
        instructions = optional_text(self.fields, "instructions")
        spoken = (Message(Role.SYSTEM, (Text(instructions),)),) if instructions.strip() else ()
        if not reader.messages:
            raise InvalidRequest("Invalid 'input': it holds no content.", param="input")
        return Turn(
            model=optional_text(self.fields, "model") or None,
            messages=(*spoken, *reader.messages),
            stream=self.stream,
            tools=tuple(offer.tools.values()),
            tool_choice=choice,
            parallel_tool_calls=boolean(self.fields, "parallel_tool_calls", default=True),
            max_tokens=_max_tokens(self.fields),
            output=_output(self.fields),
            user=optional_text(self.fields, "user") or None,
            ignored=(*sorted(_ignored(self.fields)), *unheeded, *(f"tools.{kind}" for kind in offer.others)),
            degraded=reader.degraded,
        )


def parse(body: bytes) -> ResponsesRequest:
    """The request in a body.

    Raises:
        InvalidRequest: it is malformed, or asks for what would silently change the answer; `param` names the field.
    """
    fields = reading.body(body)
    for name, message in _REFUSED.items():
        if fields.get(name) not in (None, False):
            raise InvalidRequest(message, param=name)
    items = _items(fields)
    _options(fields)
    return ResponsesRequest(
        fields=fields,
        items=items,
        previous_response_id=optional_text(fields, "previous_response_id") or None,
        references=tuple(_references(items)),
        stream=boolean(fields, "stream"),
        store=boolean(fields, "store", default=True),
        shows_reasoning=_shows_reasoning(fields),
        echo=echo(fields),
    )


def _items(fields: Json) -> tuple[Json, ...]:
    value = fields.get("input")
    if isinstance(value, str):
        value = [{"type": "message", "role": "user", "content": value}]
    if not value and not fields.get("previous_response_id"):
        # OpenAI's own words, but for `conversation` and `prompt`, which are not served.
        message = 'One of "input" or "previous_response_id" must be provided.'
        raise MissingParameter(message, param="input")
    items = array(value, "input")
    for position, item in enumerate(items):
        reading.json_text(obj(item, f"input[{position}]"), f"input[{position}]")
    return tuple(items)


def _references(items: tuple[Json, ...]) -> Iterable[str]:
    for position, item in enumerate(items):
        where = f"input[{position}]"
        if kind_of(item, where) == REFERENCE:
            yield required_text(item, "id", where)


def _options(fields: Json) -> None:
    """Check the objects that matter to nobody but OpenAI, too: whoever sends nonsense would rather know."""
    for name in ("stream_options", "metadata"):
        if fields.get(name) is not None:
            obj(fields[name], name)
    array(fields.get("include"), "include")


def _ignored(fields: Json) -> Iterable[str]:
    asked = {name: value for name, value in fields.items() if _NO_EFFECT.get(name) != value}
    return ignored(asked, FIELDS)


def _shows_reasoning(fields: Json) -> bool:
    if fields.get("reasoning") is None:
        return False
    asked = obj(fields["reasoning"], "reasoning")
    summaries = [optional_text(asked, name, "reasoning") for name in ("summary", "generate_summary")]
    return any(summary not in ("", "none") for summary in summaries)


def _max_tokens(fields: Json) -> int | None:
    value, where = fields.get("max_output_tokens"), "max_output_tokens"
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise reading.wrong_type(value, where, "an integer")
    if value < 1:
        message = f"Invalid '{where}': integer below minimum value. Expected a value >= 1, but got {value} instead."
        raise InvalidRequest(message, param=where)
    return value


def _output(fields: Json) -> OutputFormat | None:
    if fields.get("text") is None:
        return None
    where = "text.format"
    value = obj(fields["text"], "text").get("format")
    if value is None:
        return None
    asked = obj(value, where)
    kind = required_text(asked, "type", where)
    if kind == "text":
        return None
    if kind == "json_object":
        return OutputFormat()
    if kind != "json_schema":
        supported = "Supported values are: 'json_object', 'json_schema', and 'text'."
        raise InvalidRequest(f"Invalid value: '{kind[:64]}'. {supported}", param=at(where, "type"))
    return _json_schema(asked, where)


def _json_schema(asked: Mapping[str, Any], where: str) -> OutputFormat:
    place = at(where, "schema")
    if asked.get("schema") is None:
        raise reading.missing(place)
    return OutputFormat(
        schema=reading.json_text(obj(asked["schema"], place), place),
        name=required_text(asked, "name", where),
        strict=boolean(asked, "strict", where),
        where=place,
    )
