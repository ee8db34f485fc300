from lingma_gateway.conversation import Message, Role, Text, Tool, Turn
from lingma_gateway.sessions.continuing import Fresh, Holder, Retired

HELLO = Message(Role.USER, (Text("Hello"),))
ANSWER = Message(Role.ASSISTANT, (Text("Hi"),))
TOOL = Tool("read")
TURN = Turn(None, (HELLO,), stream=True, tools=(TOOL,))
ALICE = Holder("alice")


def test_without_reuse_every_turn_is_told_whole_in_a_new_session() -> None:
    fresh = Fresh()
    place = fresh.place(TURN, "team-a", ALICE, "org_auto")
    assert fresh.preferred(TURN, "team-a") is None
    assert (place.session_id, place.is_reply, place.unseen, place.untold_tools) == ("", False, (HELLO,), (TOOL,))
    assert place.outcome == "miss:off"


def test_without_reuse_a_session_is_deleted_however_its_turn_ended() -> None:
    fresh = Fresh()
    place = fresh.place(TURN, "team-a", ALICE, "org_auto")
    fresh.succeeded(place, "s-1", ANSWER)
    fresh.failed(place, "s-2")
    fresh.clear()
    assert fresh.retired() == [Retired("alice", "s-1"), Retired("alice", "s-2")]
    assert fresh.retired() == []


def test_where_lingma_named_no_session_there_is_none_to_delete() -> None:
    fresh = Fresh()
    fresh.failed(fresh.place(TURN, "team-a", ALICE, "org_auto"), "")
    assert fresh.retired() == []
