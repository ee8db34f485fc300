"""The gateway beside a Lingma process: OpenAI and Anthropic on one side, Lingma's protocol on the other."""
