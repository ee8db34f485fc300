"""Anthropic's messages: `POST /v1/messages`, `/v1/messages/count_tokens` and the models in Anthropic's form.

Shapes are those of Anthropic's published API and of what its SDKs parse. Errors name a field as Anthropic does:
`messages.0.content.1.text`.
"""
