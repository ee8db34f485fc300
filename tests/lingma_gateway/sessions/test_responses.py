"""Stored responses as the routes use them: off the event loop, and without failing an answer."""

import asyncio
import logging
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lingma_gateway.sessions.captured import STATE_DIR
from lingma_gateway.sessions.responsefile import Limits, Lost, StoredResponse, StoreUnavailable
from lingma_gateway.sessions.responses import ResponseStore

RESPONSE = StoredResponse("r1", "team-a", None, b"[]", b"{}")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[ResponseStore]:
    store = ResponseStore(tmp_path, Limits(60, 1000))
    yield store
    await store.close()


async def test_a_response_can_be_read_once_it_was_stored(store: ResponseStore) -> None:
    assert await store.put(RESPONSE)
    assert await store.get("r1", "team-a") == RESPONSE
    assert await store.chain("r1", "team-a") == [RESPONSE]
    assert await store.delete("r1", "team-a")
    assert await store.get("r1", "team-a") is None


async def test_many_at_once_are_all_stored(store: ResponseStore) -> None:
    responses = [StoredResponse(f"r{number}", "team-a", None, b"[]", b"{}") for number in range(50)]
    assert all(await asyncio.gather(*map(store.put, responses)))
    assert await asyncio.gather(*(store.get(each.id, "team-a") for each in responses)) == responses


async def test_the_event_loop_is_never_held_up(tmp_path: Path) -> None:
    seen: list[str] = []

    def now() -> float:
        seen.append(threading.current_thread().name)
        return 1000.0

    store = ResponseStore(tmp_path, Limits(60, 1000), now)
    await store.put(RESPONSE)
    await store.get("r1", "team-a")
    await store.close()
    assert {name.rpartition("_")[0] for name in seen} == {"responses"}


async def test_nothing_is_touched_before_it_is_used(tmp_path: Path) -> None:
    await ResponseStore(tmp_path, Limits(60, 1000)).close()
    assert not os.listdir(tmp_path)


async def test_what_cannot_be_stored_fails_no_answer_and_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / STATE_DIR).write_text("a file")
    store = ResponseStore(tmp_path, Limits(60, 1000))
    with caplog.at_level(logging.ERROR):
        assert not await store.put(RESPONSE)
        assert await store.get("r1", "team-a") is None
        with pytest.raises(Lost):
            await store.chain("r1", "team-a")
        with pytest.raises(StoreUnavailable):
            await store.delete("r1", "team-a")
    await store.close()
    assert [record.message for record in caplog.records] == ["response_not_stored", *["responses_unreadable"] * 2]
