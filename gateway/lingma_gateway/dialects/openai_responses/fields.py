"""What becomes of each field of a request (docs/api.md shows this table)."""

from lingma_gateway.dialects.treatment import Fields, Treatment

_HONOURED, _EMULATED, _IGNORED = Treatment.HONOURED, Treatment.EMULATED, Treatment.IGNORED
_SILENT, _REFUSED = Treatment.SILENT, Treatment.REFUSED

FIELDS: Fields = {
    "input": _HONOURED,
    "instructions": _HONOURED,
    "model": _HONOURED,
    "stream": _HONOURED,
    "user": _HONOURED,
    "store": _EMULATED,
    "previous_response_id": _EMULATED,
    "tools": _EMULATED,
    "tool_choice": _EMULATED,
    "parallel_tool_calls": _EMULATED,
    "text.format": _EMULATED,
    "max_output_tokens": _EMULATED,
    "reasoning.summary": _HONOURED,
    "reasoning.generate_summary": _HONOURED,
    "metadata": _HONOURED,
    "stream_options": _SILENT,
    "prompt_cache_key": _SILENT,
    "prompt_cache_options": _SILENT,
    "prompt_cache_retention": _SILENT,
    "safety_identifier": _SILENT,
    "client_metadata": _SILENT,
    "service_tier": _SILENT,
    "access_programs": _IGNORED,
    "context_management": _IGNORED,
    "image": _IGNORED,
    "include": _IGNORED,
    "max_tool_calls": _IGNORED,
    "moderation": _IGNORED,
    "reasoning.context": _IGNORED,
    "reasoning.effort": _IGNORED,
    "reasoning.mode": _IGNORED,
    "temperature": _IGNORED,
    "text.verbosity": _IGNORED,
    "top_logprobs": _IGNORED,
    "top_p": _IGNORED,
    "truncation": _IGNORED,
    "background": _REFUSED,
    "conversation": _REFUSED,
    "prompt": _REFUSED,
}
"""Every field of OpenAI's published request, and `client_metadata`, which Codex sends."""
