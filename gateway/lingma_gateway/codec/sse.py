"""Server-sent events, as bytes."""

MEDIA_TYPE = "text/event-stream"
KEEP_ALIVE = b": keep-alive\n\n"
"""A comment: tolerated by every client measured, unlike unknown events (clients page, section 4)."""
DONE = b"data: [DONE]\n\n"


def named(name: str, payload: bytes) -> bytes:
    """One event with a name."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), payload)


def data(payload: bytes) -> bytes:
    """One event without a name. `payload` is JSON, so it holds no newline."""
    return b"data: %b\n\n" % payload
