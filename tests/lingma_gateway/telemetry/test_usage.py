from lingma_gateway.events import Usage
from lingma_gateway.telemetry.usage import UsageTotals


def test_a_turn_counts_for_its_account_and_for_its_key() -> None:
    totals = UsageTotals()
    totals.add("alice", "ci", Usage(10, 4, estimated=True))
    totals.add("alice", "team", Usage(1, 2, estimated=False))
    totals.add("bob", "ci", None, failed=True)
    totals.add("bob", "ci", None, cancelled=True)
    body = totals.as_json()
    alice = {"turns": 2, "failed": 0, "cancelled": 0, "input_tokens": 11, "output_tokens": 6, "estimated_turns": 1}
    assert body["accounts"]["alice"] == alice
    ci = {"turns": 3, "failed": 1, "cancelled": 1, "input_tokens": 10, "output_tokens": 4, "estimated_turns": 1}
    assert body["keys"]["ci"] == ci
    assert list(body["accounts"]) == ["alice", "bob"]


def test_nothing_is_told_before_a_turn() -> None:
    assert UsageTotals().as_json() == {"accounts": {}, "keys": {}}
