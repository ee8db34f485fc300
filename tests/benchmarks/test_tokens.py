import pytest

from tests.benchmarks.tokens import errors

ERRORS = errors()


@pytest.mark.parametrize("kind", ERRORS)
def test_the_estimate_is_within_a_tenth_of_what_qwen_s_vocabulary_counts(kind: str) -> None:
    tokens, estimated, error = ERRORS[kind]
    assert abs(error) < 0.1, f"{kind}: {estimated} for {tokens} tokens"
