"""Speed, delay and cost of emulated tool calls. Run: `python -m tests.benchmarks.tools`. Nothing here is asserted."""

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from lingma_gateway.conversation import Tool, ToolCall
from lingma_gateway.tokens import estimate
from lingma_gateway.tools import (
    CallClosed,
    CallFailed,
    CallParser,
    Description,
    Format,
    Grammar,
    Reason,
    TextPiece,
    calls_text,
    describe,
    instructions,
)
from tests.lingma_gateway import support_tools
from tests.lingma_gateway.tools.test_corpus import OUTPUTS, expected

ROOT = Path(__file__).resolve().parents[3]
CHUNK = 24
"""Characters of one push, about what Lingma sends."""
ROUNDS = 5


def main() -> None:
    markdown = "\n".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "docs").glob("*.md")))
    code = "\n".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "gateway").rglob("*.py")))
    print(f"Parser, in chunks of {CHUNK} characters, against the same chunks passed through (best of {ROUNDS})\n")
    print("| stream | MB | MB/s | passed through, MB/s | ratio | µs a chunk |")
    print("|---|---|---|---|---|---|")
    for name, text in streams(markdown, code):
        speed(name, text)
    print("\nCharacters held back after each chunk of text\n")
    print("| text | mean | most | chunks that hold any |")
    print("|---|---|---|---|")
    held("Markdown of docs/", markdown)
    held("Python of gateway/", code)
    print("\nThe corpus, by form\n")
    corpus()
    print("\nTokens a tool (estimated), by format of the description\n")
    costs()


def streams(markdown: str, code: str) -> Iterator[tuple[str, str]]:
    """Text without calls, and one call with a large argument in each grammar."""
    yield "Markdown, no call", markdown
    yield "Python, no call", code
    call = ToolCall("call_1", "write", json.dumps({"path": "a.py", "content": code.replace("<", "(")}))
    for grammar in Grammar:
        yield f"a large argument, {grammar}", calls_text([call], grammar, support_tools.TOOLSETS["auto"])


def speed(name: str, text: str) -> None:
    chunks = list(support_tools.in_chunks(text, CHUNK))
    parsing = best(lambda: parse(chunks))
    passing = best(lambda: pass_through(chunks))
    megabytes = len(text.encode()) / 1e6
    print(
        f"| {name} | {megabytes:.1f} | {megabytes / parsing:.1f} | {megabytes / passing:.1f} "
        f"| {parsing / passing:.1f} | {parsing / len(chunks) * 1e6:.1f} |"
    )


def best(run: Callable[[], Any]) -> float:
    """Seconds of the fastest of several runs."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return min(times)


def parse(chunks: Iterable[str]) -> int:
    parser = CallParser(support_tools.TOOLSETS["auto"])
    pieces = sum(len(parser.feed(chunk)) for chunk in chunks)
    return pieces + len(parser.finish())


def pass_through(chunks: Iterable[str]) -> int:
    """The same chunks as text pieces, untouched."""
    return sum(len([TextPiece(chunk)]) for chunk in chunks)


def held(name: str, text: str) -> None:
    parser, chosen = CallParser(support_tools.TOOLSETS["auto"]), random.Random(1)
    seen: Counter[int] = Counter()
    position = 0
    while position < len(text):
        size = chosen.randint(1, 2 * CHUNK)
        parser.feed(text[position : position + size])
        seen[parser.held] += 1
        position += size
    chunks = seen.total()
    mean = sum(count * times for count, times in seen.items()) / chunks
    print(f"| {name} | {mean:.3f} | {max(seen)} | {100 * (chunks - seen[0]) / chunks:.2f} % |")


def corpus() -> None:
    """What the parser makes of the corpus; the tests compare each output with what is expected of it."""
    print("| form | outputs | calls | of them mended | asked again | cut | text only | as expected |")
    print("|---|---|---|---|---|---|---|---|")
    rows: dict[str, Counter[str]] = {}
    for entry in OUTPUTS:
        rows.setdefault(entry["form"], Counter()).update(judged(entry))
    rows["all"] = sum(rows.values(), Counter())
    columns = ("outputs", "calls", "mended", "asked", "cut", "text", "expected")
    for form, row in rows.items():
        print(f"| {form} | " + " | ".join(str(row[column]) for column in columns) + " |")


def judged(entry: dict[str, Any]) -> Iterator[str]:
    toolset = support_tools.TOOLSETS[entry.get("mode", "auto")]
    pieces = support_tools.parsed(toolset, support_tools.in_chunks(entry["output"], CHUNK), cut=entry.get("cut", False))
    yield "outputs"
    if support_tools.parts(pieces) == expected(entry["parts"]):
        yield "expected"
    if not any(isinstance(piece, CallClosed | CallFailed) for piece in pieces):
        yield "text"
    for piece in pieces:
        if isinstance(piece, CallClosed):
            yield "calls"
            yield from ["mended"] if piece.repaired else []
        elif isinstance(piece, CallFailed):
            yield "cut" if piece.reason is Reason.CUT else "asked"


def in_format(tools: list[Tool], style: Format) -> Description:
    """The description in one format: the largest budget that gives it."""
    budget = describe(tools, 10**9).tokens
    while (described := describe(tools, budget)).format is not style:
        if described.format is Format.NAMES:
            return described
        budget = described.tokens - 1
    return described


def costs() -> None:
    described = {style: in_format(AGENT_TOOLS, style) for style in Format}
    count = len(AGENT_TOOLS)
    print("| format | tokens a tool | tokens of all | characters |")
    print("|---|---|---|---|")
    for style, description in described.items():
        if description.format is style:
            print(f"| {style} | {description.tokens / count:.0f} | {description.tokens} | {len(description.text)} |")
    for grammar in Grammar:
        print(f"\ninstructions, {grammar}: {estimate(instructions(grammar))} tokens")


AGENT_TOOLS = [
    Tool(entry["name"], entry["description"], json.dumps(entry["schema"]))
    for entry in json.loads((Path(__file__).parent / "agent_tools.json").read_text(encoding="utf-8"))
]
"""Eight tools as coding agents have them, written for this benchmark."""


if __name__ == "__main__":
    main()
