import json
from typing import Any

import pytest

from lingma_sim.replay import CaptureError, parse


def line(direction: str, message: dict[str, Any], connection: int = 1, **more: Any) -> str:
    return json.dumps({"direction": direction, "connection": connection, "message": message, **more})


def push(method: str, connection: int = 1, **params: Any) -> str:
    return line("out", {"id": 9, "method": method, "params": params}, connection)


def ask(request_id: str, message_id: int | None = 5) -> str:
    return line("in", {"id": message_id, "method": "chat/ask", "params": {"requestId": request_id}})


CAPTURE = "\n".join(
    [
        line("in", {"id": 1, "method": "config/queryModels", "params": {}}),
        line("out", {"id": 1, "result": {"chat": [{"key": "seen"}]}}, at=12.5),
        push("auth/report", token="***"),
        ask("r1"),
        line("out", {"id": 5, "result": {"requestId": "r1", "isSuccess": True}}),
        push("chat/answer", requestId="r1", sessionId="s1", text="a", extra={"list": ["r1", 7]}),
        push("chat/answer", 2, requestId="r1", sessionId="s1", text="a"),
        line("in", {"id": 9, "result": None}),
        push("session/title/update", sessionId="s1"),
        push("session/title/update", sessionId="other"),
        push("model/refresh"),
        push("auth/report", token="***"),
        push("chat/answer", requestId="another client's", sessionId="sx"),
        "",
        push("chat/finish", requestId="r1", sessionId="s2", statusCode=200),
        push("model/refresh", late=True),
        ask("r2", None),
        push("chat/finish", requestId="r2", sessionId="s2"),
        ask("r3"),
    ]
)


def test_a_turn_is_what_was_pushed_for_it_on_its_connection() -> None:
    first = parse(CAPTURE).turn(0)
    assert [method for method, _ in first.pushes] == [
        "chat/answer",
        "session/title/update",
        "model/refresh",
        "chat/finish",
    ]
    assert (first.request_id, first.session_ids, first.by_request) == ("r1", ("s1", "s2"), True)
    assert first.reply == {"id": 5, "result": {"requestId": "r1", "isSuccess": True}}


def test_an_ask_may_have_been_a_notification_or_unanswered() -> None:
    capture = parse(CAPTURE)
    assert (capture.turn(1).by_request, capture.turn(1).reply) == (False, None)
    assert (capture.turn(2).by_request, capture.turn(2).reply, capture.turn(2).pushes) == (True, None, ())


def test_after_the_last_turn_comes_the_first() -> None:
    capture = parse(CAPTURE)
    assert capture.turn(3) is capture.turn(0)


def test_ids_become_those_of_today_wherever_they_are() -> None:
    pushes = dict(parse(CAPTURE).turn(0).remapped("new", "today"))
    assert pushes["chat/answer"] == {
        "requestId": "new",
        "sessionId": "today",
        "text": "a",
        "extra": {"list": ["new", 7]},
    }
    changed = pushes["chat/finish"]["sessionId"]
    assert changed not in ("s1", "s2", "today", "")
    assert parse(CAPTURE).turn(0).remapped("new", "tomorrow")[-1][1]["sessionId"] != changed


def test_the_models_of_a_capture_are_known() -> None:
    assert parse(CAPTURE).models == {"chat": [{"key": "seen"}]}
    assert parse(ask("r1")).models is None
    strange = [
        line("in", {"id": 1, "method": "config/queryModels", "params": {}}),
        line("out", {"id": 1, "result": ["odd"]}),
        line("out", {"id": 2, "result": {"not": "asked"}}),
    ]
    assert parse("\n".join([*strange, ask("r1")])).models is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        '{"direction": "in"}',
        '{"direction": "up", "connection": 1, "message": {}}',
        '{"direction": "in", "connection": "x", "message": {}}',
        '{"direction": "in", "connection": 1, "message": []}',
        line("in", {"method": "ping", "params": None}),
        line("in", {"method": 7}),
    ],
)
def test_what_is_no_capture_is_refused(text: str) -> None:
    with pytest.raises(CaptureError):
        parse(text)


def test_an_ask_of_odd_params_is_a_turn_without_pushes() -> None:
    odd = line("in", {"id": 5, "method": "chat/ask", "params": [1]})
    assert parse(odd).turn(0).pushes == ()
