"""The content of messages and of tool results: text, images, files, audio."""

from collections.abc import Mapping
from typing import Any

from lingma_gateway.conversation import Media, MediaKind, Text
from lingma_gateway.dialects import dataurls
from lingma_gateway.dialects.openai_responses.reading import array, at, missing, obj, optional_text, required_text, text
from lingma_gateway.errors import InvalidRequest

Content = tuple[Text | Media, ...]

_TEXTS = frozenset({"input_text", "output_text", "text", "refusal", "summary_text", "reasoning_text"})
_REFUSAL = "refusal"
_MEDIA = {"input_image": MediaKind.IMAGE, "input_file": MediaKind.FILE, "input_audio": MediaKind.AUDIO}


class ContentReader:
    """Reads content; what the model cannot be shown in any way becomes a placeholder and is noted in `degraded`."""

    def __init__(self) -> None:
        self.degraded: dict[str, None] = {}

    def read(self, value: Any, where: str) -> Content:
        """A string, a list of parts, or null. Parts without text are left out.

        Raises:
            InvalidRequest: it is malformed; `param` names the part.
        """
        if isinstance(value, str):
            return (Text(value),) if value else ()
        parts = (self._part(part, f"{where}[{position}]") for position, part in enumerate(array(value, where)))
        return tuple(part for part in parts if part != Text(""))

    def placeholder(self, kind: str) -> Text:
        """What stands for a part or an item of another kind."""
        self.degraded[kind] = None
        return Text(f"[{kind}]")

    def _part(self, value: Any, where: str) -> Text | Media:
        if isinstance(value, str):
            return Text(value)
        part = obj(value, where)
        kind = required_text(part, "type", where)
        if kind in _TEXTS:
            field = _REFUSAL if kind == _REFUSAL else "text"
            return Text(optional_text(part, field, where))
        if kind not in _MEDIA:
            return self.placeholder(kind)
        media = _READERS[_MEDIA[kind]](part, where)
        return self.placeholder(_MEDIA[kind].value) if media is None else media


def _image(part: Mapping[str, Any], where: str) -> Media | None:
    """An `input_image`; None for one that only names an upload: there is no place here to upload to."""
    value, field = part.get("image_url"), at(where, "image_url")
    if isinstance(value, dict):  # as in chat completions
        value, field = value.get("url"), at(field, "url")
    if value is None:
        _check_uploaded(part, where, "image_url")
        return None
    return _of_url(MediaKind.IMAGE, text(value, field), where, field)


def _file(part: Mapping[str, Any], where: str) -> Media | None:
    if data := optional_text(part, "file_data", where):
        field = at(where, "file_data")
        if data.startswith("data:"):
            return _of_url(MediaKind.FILE, data, where, field)
        return Media(MediaKind.FILE, where, "", _decoded(data, field))
    if url := optional_text(part, "file_url", where):
        return _of_url(MediaKind.FILE, url, where, at(where, "file_url"))
    _check_uploaded(part, where, "file_data")
    return None


def _audio(part: Mapping[str, Any], where: str) -> Media | None:
    field = at(where, "input_audio")
    inner = obj(part.get("input_audio"), field)
    data = _decoded(required_text(inner, "data", field), at(field, "data"))
    form = optional_text(inner, "format", field)
    return Media(MediaKind.AUDIO, where, f"audio/{form}" if form else "", data)


_READERS = {MediaKind.IMAGE: _image, MediaKind.FILE: _file, MediaKind.AUDIO: _audio}


def _check_uploaded(part: Mapping[str, Any], where: str, instead: str) -> None:
    if not optional_text(part, "file_id", where):
        raise missing(at(where, instead))


def _of_url(kind: MediaKind, url: str, where: str, field: str) -> Media:
    if url.lower().startswith(("https:", "http:")):
        return Media(kind, where, url=url)
    try:
        media_type, data = dataurls.parse(url)
    except ValueError as error:
        raise _invalid(field, "a https: URL, or a base64-encoded data: URL") from error
    return Media(kind, where, media_type, data)


def _decoded(data: str, field: str) -> bytes:
    try:
        return dataurls.decode(data)
    except ValueError as error:
        raise _invalid(field, "base64") from error


def _invalid(field: str, expected: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid value for '{field}': expected {expected}.", param=field)
