"""Chat requests in few words, and JSON that nobody thought of."""

import json
from typing import Any

from hypothesis import strategies as st

from lingma_gateway.conversation import Message
from lingma_gateway.dialects import openai_chat

HELLO = [{"role": "user", "content": "Hello"}]

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-10, 10)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=8,
)


def parse(messages: Any = HELLO, **fields: Any) -> openai_chat.ChatRequest:
    return openai_chat.parse(json.dumps({"messages": messages, **fields}).encode())


def parts(*messages: dict[str, Any]) -> tuple[Message, ...]:
    return parse(list(messages)).turn.messages
