"""Writes one call as pieces: streams what cannot turn out wrong, holds the rest, and checks before the last brace."""

from typing import Any

from lingma_gateway.conversation import Tool, ToolKind
from lingma_gateway.tools.pieces import ArgumentDelta, CallClosed, CallFailed, CallOpened, Piece, Reason
from lingma_gateway.tools.schema import schema_of
from lingma_gateway.tools.serialise import ArgumentsText, escaped, json_text
from lingma_gateway.tools.toolset import ToolSet, bare_name, fold

_NAMES_SHOWN = 60
_SHOWN = 80
"""Tools that a sentence lists, and characters of a name that it quotes."""


class CallWriter:
    """One call, from the moment its name is known. `tool` is None where no tool has that name."""

    def __init__(self, toolset: ToolSet, tool: Tool | None, name: str, out: list[Piece]) -> None:
        self._toolset, self._tool, self._name, self._out = toolset, tool, name, out
        self._schema = schema_of(tool.schema if tool else "{}")
        self._custom = tool is not None and tool.kind is ToolKind.CUSTOM
        self._text = ArgumentsText()
        self._sent: list[str] = []
        self._opened = False
        self._waiting = tool is None
        """Something may be wrong: nothing is handed out any more before all has been checked."""
        self._values: dict[str, Any] = {}
        self._written: set[str] = set()
        self._repaired: list[str] = ["name"] if tool and bare_name(name) != tool.name else []
        self._problem: tuple[Reason, str, str] | None = None
        self._key = ""
        self._value: list[str] = []
        self._streams = False
        self._late = ""
        """A custom tool's input that came whole."""

    @property
    def custom(self) -> bool:
        """Whether the tool takes one text instead of arguments."""
        return self._custom

    def expects(self, key: str) -> bool:
        """Whether `key` is an argument of the tool that has not come yet."""
        return self._declared(key.strip()) in self._schema.properties.keys() - self._values.keys() - {self._key}

    # ---- arguments that stand one by one, in tags ----

    def begin(self, key: str) -> None:
        """The value of the argument `key` follows."""
        self._key, self._value = self._declared(key), []
        if self._custom:
            self._streams = not self._values
        else:
            plain = self._schema.is_plain_string(self._key)
            self._streams = plain and not self._waiting and self._key not in self._values
        if self._streams and not self._custom:
            self._send(self._text.key(self._key) + '"')
            self._written.add(self._key)

    def more(self, text: str) -> None:
        """More of the value."""
        self._value.append(text)
        if self._streams and text:
            self._send(text if self._custom else escaped(text))

    def end(self) -> None:
        """The value is complete."""
        text = "".join(self._value)
        if self._custom:
            if self._values:
                self.doubt(*_twice(self._key))
            self._values[self._key] = text
        elif self._streams:
            self._values[self._key] = text
            self._send('"')
        else:
            self._keep(self._schema.from_text(self._key, text))

    def _keep(self, value: Any) -> None:
        key = self._key
        if key in self._values:
            if self._values[key] != value:
                self.doubt(*_twice(key))
            return
        self._values[key] = value
        if not self._waiting and self._schema.fits_so_far({key: value}):
            self._send(self._text.key(key) + json_text(value))
            self._written.add(key)
        else:
            self._waiting = True

    def _declared(self, key: str) -> str:
        """The argument that is meant: by its exact name, else by case and separators only, if that is unique."""
        properties = self._schema.properties
        if key in properties:
            return key
        alike = [name for name in properties if fold(name) == fold(key)]
        return alike[0] if len(alike) == 1 else key

    # ---- ends ----

    def whole(self, arguments: Any, repaired: str) -> None:
        """All arguments have come as one value: an object, or a custom tool's text."""
        if repaired:
            self._repaired.append(repaired)
        if self._tool is None:
            return
        if self._custom:
            self._whole_input(arguments)
        elif not isinstance(arguments, dict):
            self.doubt(Reason.UNREADABLE, "", "its arguments are not a JSON object")
        else:
            self._values = self._schema.coerced({self._declared(key): value for key, value in arguments.items()})
            if json_text(self._values) != json_text(arguments):
                self._repaired.append("coerced")

    def _whole_input(self, arguments: Any) -> None:
        texts = list(arguments.values()) if isinstance(arguments, dict) else [arguments]
        if len(texts) != 1 or not isinstance(texts[0], str):
            self.doubt(Reason.INVALID, "input", "it takes one text")
            return
        self._late = texts[0]

    def doubt(self, reason: Reason, field: str, explanation: str) -> None:
        """Something is wrong that the end of the call cannot mend. The first thing counts."""
        self._problem = self._problem or (reason, field, explanation)
        self._waiting = True

    def close(self, raw: str) -> None:
        """The call is complete."""
        if self._tool is None:
            self._fail_unknown(raw)
        elif self._problem:
            self.fail(*self._problem, raw)
        elif self._custom:
            self._finish(self._late)
        else:
            self._close_object(raw)

    def _close_object(self, raw: str) -> None:
        misfit = self._schema.misfit(self._values)
        if misfit:
            self.fail(Reason.INVALID, misfit.field, misfit.message, raw)
            return
        late = [self._text.key(key) + json_text(self._values[key]) for key in self._values if key not in self._written]
        self._finish("".join(late) + self._text.end())

    def _finish(self, rest: str) -> None:
        assert self._tool is not None
        if rest or not self._opened:
            self._send(rest)
        self._out.append(CallClosed(self._tool, "".join(self._sent), tuple(self._repaired)))

    def fail(self, reason: Reason, field: str, explanation: str, raw: str) -> None:
        """The call cannot be executed."""
        about = f"`{field}`: {explanation}" if field else explanation
        ask = f"Your call of `{self._name[:_SHOWN]}` was not executed: {about}. {_AGAIN}"
        self._failed(reason, raw, ask, field)

    def cut(self, raw: str) -> None:
        """The answer ended inside the call."""
        self._failed(Reason.CUT, raw, "", "")

    def _fail_unknown(self, raw: str) -> None:
        names = ", ".join(f"`{tool.name}`" for tool in self._toolset.tools[:_NAMES_SHOWN])
        if self._name:
            ask = f"There is no tool `{self._name[:_SHOWN]}`. The tools are: {names}. {_AGAIN}"
            self._failed(Reason.UNKNOWN_TOOL, raw, ask, "")
        else:
            ask = f"Your call does not say which tool it is for. The tools are: {names}. {_AGAIN}"
            self._failed(Reason.NO_NAME, raw, ask, "")

    def _failed(self, reason: Reason, raw: str, ask: str, field: str) -> None:
        sent = "".join(self._sent) if self._opened else None
        self._out.append(CallFailed(reason, self._name, raw, ask, field, sent))

    def _send(self, text: str) -> None:
        if not self._opened:
            assert self._tool is not None
            self._opened = True
            self._out.append(CallOpened(self._tool))
        if text:
            self._sent.append(text)
            self._out.append(ArgumentDelta(text))


_AGAIN = "Send the complete call again, corrected, and nothing else."


def _twice(key: str) -> tuple[Reason, str, str]:
    return (Reason.REPEATED, key, "it is given twice, differently")
