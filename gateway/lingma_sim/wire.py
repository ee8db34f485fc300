"""The bytes in which frames leave: cut, joined and headed oddly where a fault says so. Pure; faults are looked up by
the caller, since each strikes as it is sent.
"""

from collections.abc import Mapping

HEADER_FORMS: Mapping[str, str] = {
    "lower": "content-length: {}\r\n\r\n",
    "upper": "CONTENT-LENGTH: {}\r\n\r\n",
    "before": "Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: {}\r\n\r\n",
    "after": "Content-Length: {}\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n",
    "spaces": "Content-Length:   {}  \r\n\r\n",
    "nospace": "Content-Length:{}\r\n\r\n",
}
"""What `odd-headers` sends; `all` goes through them in turn."""

_OTHER_ANSWER = '{"jsonrpc":"2.0","method":"chat/answer","params":{"text":"from a malformed frame"}}'

MALFORMED_FRAMES: Mapping[str, str] = {
    "bare": _OTHER_ANSWER,
    "length": f"Content-Length: many\r\n\r\n{_OTHER_ANSWER}",
    "nolength": f"Content-Type: application/json\r\n\r\n{_OTHER_ANSWER}",
    "short": f"Content-Length: {len(_OTHER_ANSWER) - 20}\r\n\r\n{_OTHER_ANSWER}",
    "long": f"Content-Length: {len(_OTHER_ANSWER) + 20}\r\n\r\n{_OTHER_ANSWER}",
    "huge": "Content-Length: 999999999999\r\n\r\n{}",
}
"""What `malformed-frame` sends."""

MALFORMED_BODIES: Mapping[str, str] = {
    "syntax": '{"jsonrpc":"2.0","id":1,"method":',
    "array": "[1,2,3]",
    "scalar": '"text"',
    "bool-id": '{"jsonrpc":"2.0","id":true,"method":"chat/answer","params":{}}',
    "method": '{"jsonrpc":"2.0","id":1,"method":7,"params":{}}',
    "params": '{"jsonrpc":"2.0","method":"chat/answer","params":[1]}',
}
"""What `malformed-json` sends, in a frame that is right."""


def headed(body: bytes, form: str, number: int) -> str:
    """`body` as a frame with a header of this form; `all` takes the forms in turn, by the frame's number."""
    if form == "all":
        form = list(HEADER_FORMS)[number % len(HEADER_FORMS)]
    return HEADER_FORMS[form].format(len(body)) + body.decode()


def cut(text: str, size: int) -> list[str]:
    """`text` in pieces of `size` characters: a text message cannot end inside one."""
    return [text[start : start + size] for start in range(0, len(text), size)]
