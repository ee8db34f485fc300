"""OpenAI's Responses API. `request` reads a body, `answer` writes the events of a turn, `kept` shows what was stored.

Shapes are those of OpenAI's published API; fields without a value are left out, but for those that the published
schema requires and allows to be null.
"""
