"""Parts of content that are not text: images, audio, files."""

from collections.abc import Mapping
from typing import Any

from lingma_gateway.conversation import Media, MediaKind
from lingma_gateway.dialects import dataurls
from lingma_gateway.dialects.openai_chat.fields import mapping, name, optional_string, string
from lingma_gateway.errors import InvalidRequest


def image(part: Mapping[str, Any], where: str) -> Media:
    """An `image_url` part; some clients send the URL without the object around it."""
    at = f"{where}.image_url"
    value = part.get("image_url")
    if isinstance(value, str):
        return _by_url(value, MediaKind.IMAGE, where, at)
    return _by_url(name(mapping(value, at).get("url"), f"{at}.url"), MediaKind.IMAGE, where, f"{at}.url")


def audio(part: Mapping[str, Any], where: str) -> Media:
    """An `input_audio` part."""
    at = f"{where}.input_audio"
    value = mapping(part.get("input_audio"), at)
    kind = string(value.get("format"), f"{at}.format")
    data = _decoded(name(value.get("data"), f"{at}.data"), f"{at}.data")
    return Media(MediaKind.AUDIO, where, f"audio/{kind}" if kind else "", data)


def file(part: Mapping[str, Any], where: str) -> Media | None:
    """A `file` part; None for one that only names an upload: there is no place here to upload to."""
    at = f"{where}.file"
    value = mapping(part.get("file"), at)
    data = optional_string(value.get("file_data"), f"{at}.file_data")
    if data is None:
        name(value.get("file_id"), f"{at}.file_id")
        return None
    if data.startswith("data:"):
        return _by_url(data, MediaKind.FILE, where, f"{at}.file_data")
    return Media(MediaKind.FILE, where, "", _decoded(data, f"{at}.file_data"))


def _by_url(url: str, kind: MediaKind, where: str, at: str) -> Media:
    scheme, colon, _ = url.partition(":")
    match scheme.lower() if colon else "":
        case "http" | "https":
            return Media(kind, where, url=url)
        case "data":
            try:
                media_type, data = dataurls.parse(url)
            except ValueError as error:
                raise InvalidRequest(f"{at} must be a data: URL of base64 or text", param=at) from error
            return Media(kind, where, media_type, data)
        case _:
            raise InvalidRequest(f"{at} must be a data: or https: URL", param=at)


def _decoded(text: str, at: str) -> bytes:
    try:
        return dataurls.decode(text)
    except ValueError as error:
        raise InvalidRequest(f"{at} must be base64", param=at) from error
