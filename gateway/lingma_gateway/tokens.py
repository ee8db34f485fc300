"""How many tokens a text is, estimated: Lingma reports no usage on the wire (protocol page: high confidence)."""

_ASCII_PER_TOKEN = 4.0
_OTHER_PER_TOKEN = 1.5
"""Characters outside ASCII; most are Chinese, where a token of the Qwen vocabulary holds one to two."""


def estimate(text: str) -> int:
    """Tokens in `text`, at least 1 for a text that is not empty."""
    if not text:
        return 0
    ascii_characters = len(text.encode("ascii", "ignore"))
    others = len(text) - ascii_characters
    return max(1, round(ascii_characters / _ASCII_PER_TOKEN + others / _OTHER_PER_TOKEN))
