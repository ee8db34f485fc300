"""OpenAI chat completions: `POST /v1/chat/completions`.

`parse` makes a Turn of a body; `StreamEncoder` and `BodyEncoder` make an answer of its events. Shapes are those of
OpenAI's published API.
"""

from lingma_gateway.dialects.openai_chat.answer import BodyEncoder, Envelope, StreamEncoder
from lingma_gateway.dialects.openai_chat.fields import FIELDS
from lingma_gateway.dialects.openai_chat.request import ChatRequest, parse

__all__ = ["FIELDS", "BodyEncoder", "ChatRequest", "Envelope", "StreamEncoder", "parse"]
