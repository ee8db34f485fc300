import pytest

from lingma_gateway import media
from lingma_gateway.conversation import Media, MediaKind, Message, Role, Text, ToolResult

PNG = b"\x89PNG\r\n\x1a\n...."


def image(data: bytes | None = None, url: str | None = None) -> Media:
    return Media(MediaKind.IMAGE, "messages[0].content[0]", data=data, url=url)


def test_media_are_found_in_messages_and_in_results_of_tools() -> None:
    one, two = image(PNG), Media(MediaKind.FILE, "messages[1].content[0]")
    messages = [Message(Role.USER, (Text("see"), one)), Message(Role.TOOL, (ToolResult("c", (Text("x"), two)),))]
    assert media.of(messages) == [one, two]


@pytest.mark.parametrize(
    ("content", "suffix"),
    [
        (PNG, ".png"),
        (b"\xff\xd8\xff\xe0....", ".jpg"),
        (b"GIF89a....", ".gif"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", ".webp"),
    ],
)
def test_an_image_is_known_by_how_its_file_begins(content: bytes, suffix: str) -> None:
    assert media.image(image(content)) == (suffix, content)


@pytest.mark.parametrize("content", [b"", b"<svg/>", b"RIFF\x10\x00\x00\x00WAVE", b"%PDF-1.7"])
def test_what_begins_otherwise_is_no_image_for_lingma(content: bytes) -> None:
    assert media.image(image(content)) is None


@pytest.mark.parametrize("url", ["https://images.example/a.png", "http://169.254.169.254/", "file:///etc/passwd"])
def test_an_address_is_never_fetched(url: str) -> None:
    assert media.image(image(url=url)) is None


def test_only_a_model_that_sees_sees_images_and_nothing_else() -> None:
    sound = Media(MediaKind.AUDIO, "messages[0].content[1]", "audio/wav", PNG)
    shown, linked = image(PNG), image(url="https://images.example/a.png")
    assert media.unseen([shown, linked, sound], sees_images=True) == [linked, sound]
    assert media.unseen([shown, linked, sound], sees_images=False) == [shown, linked, sound]
