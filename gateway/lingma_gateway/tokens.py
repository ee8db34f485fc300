"""How many tokens a text is, estimated: Lingma reports no usage on the wire (protocol page: high confidence)."""

_ASCII_PER_TOKEN = 4.0
_OTHER_PER_TOKEN = 1.5
"""Characters outside ASCII; most are Chinese, where a token of the Qwen vocabulary holds one to two."""


class Meter:
    """Counts text while it streams in. However it is cut, the count is that of `estimate`, and it never falls."""

    __slots__ = ("_ascii", "_others")

    def __init__(self) -> None:
        self._ascii = 0
        self._others = 0

    @property
    def tokens(self) -> int:
        """Tokens so far, at least 1 once there was any text."""
        if not self._ascii and not self._others:
            return 0
        return max(1, round(self._ascii / _ASCII_PER_TOKEN + self._others / _OTHER_PER_TOKEN))

    def add(self, text: str) -> None:
        """Count `text` too."""
        size = len(text)
        ascii_characters = size if text.isascii() else len(text.encode("ascii", "ignore"))
        self._ascii += ascii_characters
        self._others += size - ascii_characters

    def fitting(self, text: str, limit: int) -> int:
        """How many characters of `text` can be added before there are more than `limit` tokens."""
        low, high = 0, len(text)
        if self._with(text) <= limit:
            return high
        while low < high:
            middle = (low + high + 1) // 2
            if self._with(text[:middle]) <= limit:
                low = middle
            else:
                high = middle - 1
        return low

    def _with(self, text: str) -> int:
        trial = Meter()
        trial._ascii, trial._others = self._ascii, self._others
        trial.add(text)
        return trial.tokens


def estimate(text: str) -> int:
    """Tokens in `text`, at least 1 for a text that is not empty."""
    meter = Meter()
    meter.add(text)
    return meter.tokens
