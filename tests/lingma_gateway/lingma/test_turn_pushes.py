"""The pushes of one turn."""

from lingma_gateway.errors import UpstreamLost
from lingma_gateway.lingma.connection import TurnPushes


async def test_what_arrived_and_was_not_taken_is_there_without_waiting() -> None:
    pushes = TurnPushes()
    pushes.put(("chat/process_step_callback", {"sessionId": "s-1"}))
    pushes.put(UpstreamLost("gone"))
    pushes.put(("chat/answer", {"sessionId": "s-1"}))
    assert [method for method, _ in pushes.arrived()] == ["chat/process_step_callback", "chat/answer"]
    assert pushes.arrived() == []


async def test_what_was_taken_has_not_arrived_again() -> None:
    pushes = TurnPushes()
    pushes.put(("chat/answer", {"text": "one"}))
    assert await pushes.next(1, "answer") == ("chat/answer", {"text": "one"})
    assert pushes.arrived() == []
