"""Which media of a conversation a model can see, and as what. Pure.

Lingma takes images as files on its own machine (protocol page, image/upload: medium confidence). Addresses are never
fetched: a client could name anything that only this machine reaches.
"""

from collections.abc import Iterable

from lingma_gateway.conversation import Media, MediaKind, Message, ToolResult

_FORMATS = {b"\x89PNG\r\n\x1a\n": ".png", b"\xff\xd8\xff": ".jpg", b"GIF8": ".gif"}
"""How files of a format begin. What a client calls them is not believed."""
MAX_IMAGES = 10
"""Of a question; older ones become placeholders. How many Lingma takes is not known."""


def of(messages: Iterable[Message]) -> list[Media]:
    """The media of messages in their order, those in results of tools too."""
    found: list[Media] = []
    for message in messages:
        for part in message.parts:
            content = part.content if isinstance(part, ToolResult) else (part,)
            found += (each for each in content if isinstance(each, Media))
    return found


def image(media: Media) -> tuple[str, bytes] | None:
    """The suffix and the content of an image that Lingma can be given; None: it is none, or only an address."""
    content = media.data if media.kind is MediaKind.IMAGE else None
    if content is None:
        return None
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return ".webp", content
    return next(((suffix, content) for start, suffix in _FORMATS.items() if content.startswith(start)), None)


def unseen(media: Iterable[Media], *, sees_images: bool) -> list[Media]:
    """Those that a model does not see."""
    return [each for each in media if not sees_images or image(each) is None]
