"""How far the estimate of tokens is from Qwen's own vocabulary, and what either costs.

Run as `python -m tests.benchmarks.tokens`.

The vocabulary comes with PyPI's `dashscope`, a development dependency; the gateway does not need it.
"""

import base64
import difflib
import importlib.util
import json
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import tiktoken
import yaml

from lingma_gateway.tokens import Meter, estimate

ROOT = Path(__file__).parents[2]
SAMPLES = Path(__file__).parent / "samples"
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Where Qwen splits a text before it looks at the vocabulary (published with its tokenizer)."""
_KILOBYTES_80 = 80_000


def qwen() -> tiktoken.Encoding:
    """Qwen's tokenizer."""
    found = importlib.util.find_spec("dashscope")
    assert found is not None
    assert found.submodule_search_locations is not None
    file = Path(found.submodule_search_locations[0]) / "resources" / "qwen.tiktoken"
    ranks = {base64.b64decode(token): int(rank) for token, rank in map(str.split, file.read_text().splitlines())}
    return tiktoken.Encoding("qwen", pat_str=_SPLIT, mergeable_ranks=ranks, special_tokens={})


def samples() -> Mapping[str, str]:
    """Texts of each kind; none was used to fit the estimate's weights."""
    python = (ROOT / "gateway" / "lingma_gateway" / "lingma" / "connection.py").read_text()
    crd = yaml.safe_load((ROOT / "crds" / "lingmaaccounts.lingma.dev.yaml").read_text())
    changed = python.replace("self._session", "self._protocol").replace("timeout_s", "limit_s")
    diff = difflib.unified_diff(python.splitlines(), changed.splitlines(), "a/connection.py", "b/connection.py")
    return {
        "English": (SAMPLES / "english.txt").read_text(),
        "Chinese": (SAMPLES / "chinese.txt").read_text(),
        "Python": python,
        "TypeScript": (SAMPLES / "typescript.txt").read_text(),
        "Go": (ROOT / "tests" / "cluster" / "recipes" / "pause" / "main.go").read_text(),
        "JSON": json.dumps(crd),
        "JSON, indented": json.dumps(crd, indent=2),
        "diff": "\n".join(diff),
        "base64": base64.b64encode(random.Random(5).randbytes(6000)).decode(),
    }


def errors() -> dict[str, tuple[int, int, float]]:
    """Of each sample: tokens, the estimate, and its error as a share of the tokens."""
    tokenizer = qwen()
    found = {}
    for kind, text in samples().items():
        tokens, estimated = len(tokenizer.encode_ordinary(text)), estimate(text)
        found[kind] = (tokens, estimated, estimated / tokens - 1)
    return found


def _count(pieces: list[str]) -> None:
    meter = Meter()
    for piece in pieces:
        meter.add(piece)


def _milliseconds(work: Callable[[], object]) -> float:
    """The best of five runs."""
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return best * 1000


def _resident_mb() -> float:
    status = Path("/proc/self/status").read_text().split("VmRSS:")[1]
    return int(status.split()[0]) / 1024


def main() -> None:
    """Print the figures that docs/gateway.md quotes."""
    before = _resident_mb()
    started = time.perf_counter()
    tokenizer = qwen()
    loaded_s = time.perf_counter() - started
    print(f"Qwen's vocabulary: {loaded_s:.1f} s to load, {_resident_mb() - before:.0f} MB")
    text = (samples()["Python"] * 8)[:_KILOBYTES_80]
    pieces = [text[start : start + 5] for start in range(0, len(text), 5)]
    by_piece = _milliseconds(lambda: _count(pieces))
    print(f"80 KB: tokenizer {_milliseconds(lambda: tokenizer.encode_ordinary(text)):.1f} ms, ", end="")
    print(f"estimate {_milliseconds(lambda: estimate(text)):.1f} ms, ", end="")
    print(f"in pieces of 5 characters {by_piece * 1000 / len(pieces):.2f} us a piece")
    print(f"{'kind':16}{'tokens':>8}{'estimate':>10}{'error':>8}")
    for kind, (tokens, estimated, error) in errors().items():
        print(f"{kind:16}{tokens:8}{estimated:10}{error:8.1%}")


if __name__ == "__main__":
    main()
