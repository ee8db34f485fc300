"""Data inside JSON: base64, and `data:` URLs (RFC 2397)."""

import base64
import binascii
from urllib.parse import unquote_to_bytes


def decode(text: str) -> bytes:
    """The bytes of base64; line breaks in it are passed over.

    Raises:
        ValueError: it is no base64.
    """
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error


def parse(url: str) -> tuple[str, bytes]:
    """Media type (empty: not said) and bytes of a `data:[type][;base64],data` URL.

    Raises:
        ValueError: it is none.
    """
    scheme, _, rest = url.partition(":")
    head, comma, data = rest.partition(",")
    if scheme.lower() != "data" or not comma:
        raise ValueError("no data: URL")
    media_type, *parameters = (part.strip() for part in head.split(";"))
    if "base64" in (parameter.lower() for parameter in parameters):
        return media_type, decode(data)
    return media_type, unquote_to_bytes(data)
