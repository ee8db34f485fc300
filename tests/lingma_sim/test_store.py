from pathlib import Path

from lingma_sim.sessions import Record, Session
from lingma_sim.store import Store


def stored(path: Path) -> list[str]:
    store = Store(path)
    ids = [session.session_id for session in store.load().all()]
    store.close()
    return ids


def test_sessions_come_back_with_their_turns_in_order(tmp_path: Path) -> None:
    path = tmp_path / "db" / "local.db"
    store = Store(path)
    for number in (2, 1):
        session = Session(f"s{number}", number, number + 5)
        session.records += [Record("r1", "FREE_INPUT", "q1 ü", "a1"), Record("r2", "REPLY_TASK", "q2 \ud800", "a2")]
        store.save(session)
        store.save(session)
    store.close()
    store = Store(path)
    first, second = store.load().all()
    assert (first.session_id, first.created_ms, first.modified_ms, second.session_id) == ("s1", 1, 6, "s2")
    assert first.records == [Record("r1", "FREE_INPUT", "q1 ü", "a1"), Record("r2", "REPLY_TASK", "q2 ?", "a2")]
    store.close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_deleted_sessions_are_gone(tmp_path: Path) -> None:
    path = tmp_path / "local.db"
    store = Store(path)
    for name in ("a", "b", "c"):
        store.save(Session(name, 1, 1, [Record("r", "t", "q")]))
    store.delete("b")
    store.delete("unknown")
    assert stored(path) == ["a", "c"]
    store.clear()
    assert stored(path) == []
    store.close()
