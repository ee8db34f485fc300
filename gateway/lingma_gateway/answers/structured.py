"""An answer that must be JSON: what the model is told, whether its answer fits, and what it is told if not. Pure.

Lingma has no such mode: the form is asked for in the prompt and checked here.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jsonschema_rs

from lingma_gateway.conversation import OutputFormat
from lingma_gateway.errors import InvalidRequest

_FENCE = re.compile(r"^[ \t]*(`{3,})[^\n`]*\n(.*?)\n[ \t]*\1[ \t]*$", re.DOTALL | re.MULTILINE)
_OPENING = re.compile(r"[{\[]")
_MAX_OPENINGS = 64
"""Braces at which JSON is looked for in a text: source code has thousands."""
_MAX_REASON_CHARS = 300
_ANY_OBJECT = '{"type": "object"}'
_ONLY = "Answer with the JSON alone: no other text before or after it, no Markdown fence."


@dataclass(frozen=True, slots=True)
class Fitting:
    """The JSON, as the model wrote it."""

    text: str


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why there is none. Neither quotes a value of the answer."""

    reason: str
    """For the client and the log."""
    told: str
    """For the model: it may name keys of its answer."""


class StructuredOutput:
    """One form that an answer must have."""

    def __init__(self, schema: str | None) -> None:
        self._schema = schema
        self._validator = _compiled(schema or _ANY_OBJECT)

    @classmethod
    def of(cls, output: OutputFormat) -> "StructuredOutput":
        """The form that a client asked for; the same schema is compiled once.

        Raises:
            InvalidRequest: its schema is none; `param` is the field that holds it.
        """
        try:
            return _made(output.schema)
        except (ValueError, RecursionError) as error:
            words = str(error).partition("\n")[0][:_MAX_REASON_CHARS]
            raise InvalidRequest(f"{output.where} is no JSON Schema: {words}", param=output.where) from error

    @property
    def instruction(self) -> str:
        """What the end of the prompt says."""
        if self._schema is None:
            return f"Your answer must be one JSON object. {_ONLY}"
        return f"Your answer must be JSON that fits this JSON Schema:\n{self._schema}\n{_ONLY}"

    def read(self, answer: str) -> Fitting | Unfit:
        """The JSON of an answer: all of it, or what stands in it as a fence or between words, if that is unique."""
        found = _values(answer)
        if not found:
            return _same("it holds no complete JSON object or array")
        misfits = {text: self._misfit(value) for text, value in found.items()}
        fitting = [text for text, misfit in misfits.items() if misfit is None]
        if len(fitting) == 1:
            return Fitting(fitting[0])
        if fitting or len(misfits) > 1:
            return _same("it holds several JSON values, where one is wanted")
        (misfit,) = misfits.values()
        assert misfit is not None
        return misfit

    def _misfit(self, value: Any) -> Unfit | None:
        try:
            error = next(self._validator.iter_errors(value), None)
        except (ValueError, RecursionError):
            return _same("its JSON cannot be checked: it holds half a character, or is nested too deep")
        if error is None:
            return None
        where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path)
        told = f"at ${where}: {error.message}"[:_MAX_REASON_CHARS]
        rule = "/".join(map(str, error.schema_path))
        return Unfit(f"it does not fit the schema (rule #/{rule})"[:_MAX_REASON_CHARS], told)


def again(unfit: Unfit) -> str:
    """What the model is told when it is asked once more."""
    return f"Your answer does not have the form that was asked for: {unfit.told}. Answer again. {_ONLY}"


def _same(reason: str) -> Unfit:
    return Unfit(reason, reason)


@lru_cache(maxsize=256)
def _made(schema: str | None) -> StructuredOutput:
    return StructuredOutput(schema)


def _compiled(schema: str) -> jsonschema_rs.Validator:
    """The validator, which fetches nothing; its sentences do not quote what it checks.

    Raises:
        ValueError: it is no schema.
    """
    rules = json.loads(schema)
    if not isinstance(rules, dict):
        raise ValueError("it must be an object")
    _refuse_bad(rules)
    return jsonschema_rs.validator_for(rules, offline=True, validate_formats=False, mask="the value")


def _refuse_bad(rules: dict[str, Any]) -> None:
    """Say of a schema that is none where it went wrong; it is the client's own, and may be quoted."""
    try:
        jsonschema_rs.validator_for(rules, offline=True)
    except jsonschema_rs.ValidationError as error:
        where = "/".join(map(str, error.instance_path))
        raise ValueError(f"at #/{where}: {error.message}") from error


def _values(answer: str) -> dict[str, Any]:
    """The JSON values in an answer, by their text."""
    whole = answer.strip()
    for texts in (iter((whole,)), (fence[2].strip() for fence in _FENCE.finditer(whole)), _embedded(whole)):
        if found := dict(_read(texts)):
            return found
    return {}


def _read(texts: Iterator[str]) -> Iterator[tuple[str, Any]]:
    for text in texts:
        try:
            yield text, _DECODER.decode(text)
        except (ValueError, RecursionError):
            continue


def _embedded(text: str) -> Iterator[str]:
    """Objects and arrays between words: outer ones only."""
    position = 0
    for _ in range(_MAX_OPENINGS):
        opening = _OPENING.search(text, position)
        if opening is None:
            return
        position = opening.end()
        try:
            _, position = _DECODER.raw_decode(text, opening.start())
        except (ValueError, RecursionError):
            continue
        yield text[opening.start() : position]


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
