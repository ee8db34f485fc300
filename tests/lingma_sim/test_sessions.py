from lingma_sim.sessions import Record, Session, Sessions


def test_an_empty_id_makes_a_session_each_time() -> None:
    sessions = Sessions()
    first, second = (sessions.open("", is_reply=False, now_ms=1) for _ in range(2))
    assert first.session_id
    assert first.session_id != second.session_id


def test_a_known_id_continues_its_session() -> None:
    sessions = Sessions()
    first = sessions.open("", is_reply=False, now_ms=1)
    assert sessions.open(first.session_id, is_reply=True, now_ms=2) is first
    assert (first.created_ms, first.modified_ms) == (1, 2)


def test_a_reply_to_a_forgotten_session_gets_a_new_id() -> None:
    assert Sessions().open("gone", is_reply=True, now_ms=1).session_id not in ("", "gone")


def test_a_first_question_may_bring_its_own_id() -> None:
    assert Sessions().open("mine", is_reply=False, now_ms=1).session_id == "mine"


def test_sessions_are_listed_deleted_and_cleared() -> None:
    sessions = Sessions()
    for name in ("a", "b", "c"):
        sessions.open(name, is_reply=False, now_ms=1)
    assert sessions.delete("b")
    assert not sessions.delete("b")
    assert [session.session_id for session in sessions.all()] == ["a", "c"]
    assert sessions.get("b") is None
    sessions.clear()
    assert sessions.all() == []


def test_a_session_is_described_with_its_turns() -> None:
    session = Sessions().open("mine", is_reply=False, now_ms=1)
    assert session.title == ""
    session.records.append(Record("r1", "FREE_INPUT", "why is the sky blue, please?", "because"))
    described = session.describe("alice")
    assert described["sessionTitle"] == "why is the sky blue,"
    assert described["userId"] == "alice"
    assert described["chatRecords"] == [
        {
            "requestId": "r1",
            "chatTask": "FREE_INPUT",
            "question": "why is the sky blue, please?",
            "answer": "because",
            "likeStatus": 0,
        }
    ]


def test_a_renamed_session_is_known_by_its_new_id_alone() -> None:
    sessions = Sessions()
    session = sessions.open("mine", is_reply=False, now_ms=1)
    assert sessions.rename(session) == "mine"
    assert sessions.get("mine") is None
    assert sessions.get(session.session_id) is session


def test_one_turn_is_forgotten_and_found() -> None:
    sessions = Sessions()
    session = sessions.open("mine", is_reply=False, now_ms=1)
    sessions.open("other", is_reply=False, now_ms=1)
    session.records += [Record("r1", "t", "q"), Record("r2", "t", "q"), Record("r2", "t", "q again")]
    assert session.position("r2") == 2
    assert session.position("r9") is None
    assert sessions.delete_record("r1") is session
    assert [record.request_id for record in session.records] == ["r2", "r2"]
    assert sessions.delete_record("r1") is None


def test_a_session_known_before_is_taken() -> None:
    sessions, known = Sessions(), Session("known", 1, 2)
    sessions.add(known)
    assert sessions.all() == [known]
