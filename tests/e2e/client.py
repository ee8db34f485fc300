"""Runs in a pod: chats through the Service with the official SDK, streamed and not, and prints what it saw as JSON."""

import json

import openai

QUESTION = "from inside"


def main() -> None:
    client = openai.OpenAI(max_retries=0)  # OPENAI_BASE_URL and OPENAI_API_KEY are in the environment
    whole = client.chat.completions.with_raw_response.create(
        model="auto", messages=[{"role": "user", "content": QUESTION}]
    )
    with client.chat.completions.with_raw_response.create(
        model="auto", messages=[{"role": "user", "content": QUESTION}], stream=True
    ).parse() as stream:
        pieces = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
    print(
        json.dumps(
            {
                "account": whole.headers["x-lingma-account"],
                "whole": whole.parse().choices[0].message.content,
                "streamed": "".join(pieces),
            }
        )
    )


if __name__ == "__main__":
    main()
