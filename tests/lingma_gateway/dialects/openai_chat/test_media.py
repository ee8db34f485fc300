import base64
from typing import Any

import pytest

from lingma_gateway.conversation import Media, MediaKind, Text
from lingma_gateway.errors import InvalidRequest
from tests.lingma_gateway.dialects.openai_chat.support import parse

WHERE = "messages[0].content[0]"
PIXEL = b"\x89PNG"
ENCODED = base64.b64encode(PIXEL).decode()


def media(part: dict[str, Any]) -> Any:
    (found,) = parse([{"role": "user", "content": [part]}]).turn.messages[0].parts
    return found


def image(url: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, "detail": "high"}}


def test_an_image_by_address_keeps_its_address() -> None:
    url = "https://example.com/a.png?x=1"
    assert media(image(url)) == Media(MediaKind.IMAGE, WHERE, url=url)
    assert media({"type": "image_url", "image_url": url}) == Media(MediaKind.IMAGE, WHERE, url=url)


@pytest.mark.parametrize(
    ("url", "media_type", "data"),
    [
        (f"data:image/png;base64,{ENCODED}", "image/png", PIXEL),
        (f"DATA:image/png;charset=x;BASE64,{ENCODED[:3]}\n{ENCODED[3:]}", "image/png", PIXEL),
        ("data:image/svg+xml,%3Csvg/%3E", "image/svg+xml", b"<svg/>"),
        ("data:,", "", b""),
    ],
)
def test_an_image_in_its_address_is_decoded(url: str, media_type: str, data: bytes) -> None:
    assert media(image(url)) == Media(MediaKind.IMAGE, WHERE, media_type, data)


def test_audio_has_the_type_of_its_format() -> None:
    part = {"type": "input_audio", "input_audio": {"data": ENCODED, "format": "wav"}}
    assert media(part) == Media(MediaKind.AUDIO, WHERE, "audio/wav", PIXEL)
    assert media({"type": "input_audio", "input_audio": {"data": ENCODED}}) == Media(MediaKind.AUDIO, WHERE, "", PIXEL)


def test_a_file_comes_as_base64_or_in_a_data_url() -> None:
    plain = {"type": "file", "file": {"file_data": ENCODED, "filename": "a.pdf"}}
    typed = {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{ENCODED}"}}
    assert media(plain) == Media(MediaKind.FILE, WHERE, "", PIXEL)
    assert media(typed) == Media(MediaKind.FILE, WHERE, "application/pdf", PIXEL)


def test_a_file_that_was_uploaded_elsewhere_is_a_placeholder() -> None:
    turn = parse([{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}]).turn
    assert turn.messages[0].parts == (Text("[file]"),)
    assert turn.degraded == ("file",)


@pytest.mark.parametrize(
    ("part", "param"),
    [
        ({"type": "image_url"}, ".image_url"),
        ({"type": "image_url", "image_url": {}}, ".image_url.url"),
        (image("/etc/passwd"), ".image_url.url"),
        (image("file:///etc/passwd"), ".image_url.url"),
        (image("data:image/png;base64"), ".image_url.url"),
        (image("data:image/png;base64,!"), ".image_url.url"),
        (image("data:image/png;base64,\u00e9"), ".image_url.url"),
        ({"type": "image_url", "image_url": "no"}, ".image_url"),
        ({"type": "input_audio"}, ".input_audio"),
        ({"type": "input_audio", "input_audio": {"format": "wav"}}, ".input_audio.data"),
        ({"type": "input_audio", "input_audio": {"data": "!", "format": "wav"}}, ".input_audio.data"),
        ({"type": "input_audio", "input_audio": {"data": ENCODED, "format": 3}}, ".input_audio.format"),
        ({"type": "file"}, ".file"),
        ({"type": "file", "file": {}}, ".file.file_id"),
        ({"type": "file", "file": {"file_data": 3}}, ".file.file_data"),
        ({"type": "file", "file": {"file_data": "!"}}, ".file.file_data"),
    ],
)
def test_an_error_names_the_field(part: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        media(part)
    assert caught.value.param == f"{WHERE}{param}"
