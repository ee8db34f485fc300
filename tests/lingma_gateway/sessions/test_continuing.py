from lingma_gateway.conversation import Message, Role, Text, Turn
from lingma_gateway.sessions.continuing import Fresh, Retired

HELLO = Message(Role.USER, (Text("Hello"),))
ANSWER = Message(Role.ASSISTANT, (Text("Hi"),))
TURN = Turn(None, (HELLO,), stream=True)


def test_without_reuse_every_turn_is_told_whole_in_a_new_session() -> None:
    fresh = Fresh()
    place = fresh.place(TURN, "team-a", "alice", "org_auto")
    assert fresh.preferred(TURN, "team-a") is None
    assert (place.session_id, place.is_reply, place.unseen, place.knows_tools) == ("", False, (HELLO,), False)


def test_without_reuse_a_session_is_deleted_however_its_turn_ended() -> None:
    fresh = Fresh()
    place = fresh.place(TURN, "team-a", "alice", "org_auto")
    assert fresh.succeeded(place, "s-1", ANSWER) == fresh.failed(place, "s-1") == (Retired("alice", "s-1"),)


def test_where_lingma_named_no_session_there_is_none_to_delete() -> None:
    fresh = Fresh()
    assert fresh.failed(fresh.place(TURN, "team-a", "alice", "org_auto"), "") == ()
