"""What was heard, against what is documented."""

from typing import Any

import pytest

from lingma_gateway.smoke import judging
from lingma_gateway.smoke.heard import Heard
from lingma_gateway.smoke.report import DOCUMENTED, Name, Outcome

SERVER = {"capabilities": {}, "serverInfo": {"name": "lingma", "version": "2.12.0"}, "experimental": {}}
STATUS = dict.fromkeys(judging._AUTH_FIELDS) | {"status": 2, "whitelist": 3, "id": "u"}
ITEM = dict.fromkeys(judging._MODEL_FIELDS) | {"key": "org_auto", "apiKey": "sk-of-a-user", "url": "http://private"}
LISTS: dict[str, Any] = dict.fromkeys(judging._GROUPS, []) | {"chat": [ITEM]}
ANSWER = dict.fromkeys(judging._ANSWER_FIELDS, "")
FINISH = dict.fromkeys(judging._FINISH_FIELDS, "") | {"statusCode": 200, "reason": "success", "sessionId": "s-1"}


def heard(*pushes: tuple[str, dict[str, Any]], began: float = 0.0, step: float = 0.1) -> Heard:
    """A turn whose pushes come `step` seconds apart."""
    turn = Heard(began)
    for number, (method, params) in enumerate(pushes, start=1):
        turn.note(method, params, began + number * step)
    return turn


def answered(text: str = "pong", **finish: Any) -> Heard:
    half = len(text) // 2
    pieces = [("chat/answer", ANSWER | {"text": part}) for part in (text[:half], "", text[half:])]
    return heard(("chat/process_step_callback", {}), *pieces, ("chat/finish", FINISH | finish))


def test_every_step_says_what_is_documented() -> None:
    assert DOCUMENTED.keys() == set(Name)


def test_initialize_tells_the_version() -> None:
    judgement = judging.initialize(SERVER)
    assert judgement.outcome is Outcome.AS_DOCUMENTED
    assert judgement.facts == {"lingmaVersion": "2.12.0"}


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (None, "no object"),
        ({}, "lacks capabilities, experimental, serverInfo"),
        (SERVER | {"serverInfo": {"name": "other", "version": "1"}}, "does not name lingma"),
        (SERVER | {"serverInfo": {"name": "lingma"}}, "does not name lingma"),
        (SERVER | {"further": 1}, "also has further"),
    ],
)
def test_initialize_that_answers_something_else(server: object, words: str) -> None:
    judgement = judging.initialize(server)
    assert judgement.outcome is Outcome.DIFFERS
    assert words in judgement.finding


def test_a_usable_login_needs_no_numbers_in_the_report() -> None:
    assert judging.auth(STATUS).facts == {}
    assert judging.auth(STATUS).outcome is Outcome.AS_DOCUMENTED


def test_a_login_of_no_use_is_told_by_its_numbers() -> None:
    judgement = judging.auth(STATUS | {"status": 3, "whitelist": 5})
    assert judgement.facts == {"auth": {"status": 3, "whitelist": 5}}
    assert "expired" in judgement.finding


@pytest.mark.parametrize("status", [[], None, "2"])
def test_auth_that_is_no_object(status: object) -> None:
    assert judging.auth(status).outcome is Outcome.DIFFERS


def test_numbers_that_nobody_knows_are_left_out() -> None:
    assert judging.auth(STATUS | {"status": 9, "whitelist": True}).facts == {}


def test_models_are_shown_without_addresses_and_keys() -> None:
    judgement = judging.model_lists(LISTS, logged_in=True)
    assert judgement.outcome is Outcome.AS_DOCUMENTED
    (model,) = judgement.facts["models"]
    assert model["key"] == "org_auto"
    assert not {"apiKey", "url", "model"} & model.keys()


@pytest.mark.parametrize(
    ("result", "logged_in", "words"),
    [
        ([], True, "no object"),
        ({}, True, "no model is listed"),
        (LISTS, False, "although nobody is logged in"),
        (LISTS | {"agents": []}, True, "also has agents"),
        (LISTS | {"quest": {"key": "x"}, "chat": [7, {"key": 7}, ITEM | {"price": 1}]}, True, "a model also has price"),
    ],
)
def test_models_that_differ(result: object, logged_in: bool, words: str) -> None:
    judgement = judging.model_lists(result, logged_in=logged_in)
    assert judgement.outcome is Outcome.DIFFERS
    assert words in judgement.finding


def test_logged_out_models_are_an_empty_object() -> None:
    assert judging.model_lists({}, logged_in=False).outcome is Outcome.AS_DOCUMENTED


def test_a_chat_is_measured() -> None:
    turn = answered()
    turn.acknowledged_s = 0.01
    judgement = judging.chat(turn, True)
    assert judgement.outcome is Outcome.AS_DOCUMENTED
    assert judgement.facts == {"latency": {"firstTokenMs": 200, "chunkMs": 200}, "askReply": "immediate"}


def test_an_ask_that_is_never_answered_is_no_difference() -> None:
    judgement = judging.chat(answered(), None)
    assert (judgement.outcome, judgement.facts["askReply"]) == (Outcome.AS_DOCUMENTED, "never")


@pytest.mark.parametrize(
    ("turn", "counted", "words"),
    [
        (answered(statusCode=110, reason="daily usage limit"), True, "status 110: daily usage limit"),
        (heard(("chat/finish", FINISH)), True, "its answer is empty"),
        (answered(), False, "no token count"),
        (answered(further=1), True, "chat/finish also has further"),
        (heard(("chat/answer", {"text": "pong"}), ("chat/finish", FINISH)), True, "chat/answer lacks"),
        (heard(("chat/finish", FINISH | {"fullAnswer": "pong"})), True, "in fullAnswer only"),
        (
            heard(*((f"new/push-{n}", {}) for n in range(10)), ("x" * 50, {}), *[("chat/answer", ANSWER)] * 0),
            True,
            "its answer is empty",
        ),
    ],
)
def test_a_chat_that_differs(turn: Heard, counted: bool, words: str) -> None:
    if turn.finish is None:
        turn.finish = FINISH
    judgement = judging.chat(turn, counted)
    assert judgement.outcome is Outcome.DIFFERS
    assert words in judgement.finding


def test_many_unknown_pushes_are_not_all_listed() -> None:
    unknown: list[tuple[str, dict[str, Any]]] = [(f"new/push-{number}", {}) for number in range(10)]
    turn = heard(*unknown, ("x" * 50, {}), ("chat/answer", ANSWER | {"text": "pong"}), ("chat/finish", FINISH))
    finding = judging.chat(turn, True).finding
    assert "(a long name), new/push-0" in finding
    assert "and 3 more" in finding


def test_memory_is_a_word_known_in_the_second_turn() -> None:
    assert judging.memory(answered(), answered("It was Lantern1."), "lantern1").finding.endswith("id stayed")
    moved = answered("lantern1", sessionId="s-2")
    assert judging.memory(answered(), moved, "lantern1").finding.endswith("id changed")


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (answered(statusCode=500), answered(), "status 500"),
        (answered(), Heard(0.0, error="lost"), "lost"),
        (answered(), answered("no idea"), "did not know"),
        (heard(("chat/answer", {"text": "ok"}), ("chat/finish", {})), answered("lantern1"), "named no session"),
    ],
)
def test_memory_that_differs(first: Heard, second: Heard, words: str) -> None:
    judgement = judging.memory(first, second, "lantern1")
    assert judgement.outcome is Outcome.DIFFERS
    assert words in judgement.finding


def test_turns_that_overlap_ran_at_once() -> None:
    turns = [heard(("chat/answer", {"text": "1"}), ("chat/finish", FINISH), began=n * 0.01) for n in range(4)]
    judgement = judging.at_once(turns)
    assert (judgement.outcome, judgement.facts["concurrentTurns"]) == (Outcome.AS_DOCUMENTED, 4)


def test_turns_one_after_another_did_not() -> None:
    turns = [heard(("chat/answer", {"text": "1"}), ("chat/finish", FINISH), began=float(n)) for n in range(2)]
    judgement = judging.at_once(turns)
    assert (judgement.outcome, judgement.facts["concurrentTurns"]) == (Outcome.DIFFERS, 1)
    assert "at most 1 of 2" in judgement.finding


def test_turns_of_which_some_fail_are_not_counted() -> None:
    judgement = judging.at_once([answered(), Heard(0.0, error="refused")])
    assert (judgement.finding, judgement.facts) == ("1 of 2 failed: refused", {})
    assert judging.overlap([Heard(0.0)]) == 0


def stopped(acknowledged_s: float | None, ended_s: float | None, reason: str = "cancelled") -> Heard:
    turn = heard(("chat/answer", {"text": "once"}))
    turn.stopped, turn.stop_acknowledged_s = 1.0, acknowledged_s
    if ended_s is not None:
        turn.note("chat/finish", FINISH | {"reason": reason}, 1.0 + ended_s)
    return turn


def test_a_stop_is_measured() -> None:
    judgement = judging.cancel(stopped(0.02, 0.03))
    assert judgement.outcome is Outcome.AS_DOCUMENTED
    assert judgement.finding == "acknowledged in 20 ms, ended in 30 ms"
    assert judgement.facts == {"latency": {"stopMs": 20}}


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        (stopped(None, 0.1), "was not acknowledged"),
        (stopped(1.5, 0.1), "acknowledged after 1500 ms"),
        (stopped(0.1, None), "no chat/finish came"),
        (stopped(0.1, 1.2), "chat/finish came after 1200 ms"),
        (stopped(0.1, 0.2, reason="success"), "the reason 'success'"),
    ],
)
def test_a_stop_that_differs(turn: Heard, words: str) -> None:
    judgement = judging.cancel(turn)
    assert judgement.outcome is Outcome.DIFFERS
    assert words in judgement.finding


def test_what_could_not_be_stopped_was_not_tried() -> None:
    assert "it ended too soon" in judging.cancel(answered()).finding
    assert "its answer is empty" in judging.cancel(heard(("chat/finish", FINISH))).finding
    mute = Heard(0.0, error="Lingma sent no answer", stopped=1.0)
    assert judging.cancel(mute).outcome is Outcome.NOT_TRIED


def test_a_new_connection_finds_the_same_login() -> None:
    assert judging.refresh(STATUS, STATUS, 3).outcome is Outcome.AS_DOCUMENTED
    assert "id of auth/status" in judging.refresh(STATUS, STATUS | {"id": "v"}, 3).finding
    assert judging.refresh(STATUS, None, 3).outcome is Outcome.DIFFERS


def test_a_tool_event_names_its_call() -> None:
    good = heard(
        ("tool/call/sync", {"toolCallId": "c", "toolCallStatus": "init"}), ("tool/invoke", {"toolCallId": "c"})
    )
    judgement = judging.tool(good)
    assert (judgement.outcome, judgement.finding) == (Outcome.AS_DOCUMENTED, "seen: tool/call/sync init, tool/invoke")
    odd = judging.tool(heard(("tool/call/sync", {"toolCallId": "", "toolCallStatus": "ODD"})))
    assert odd.finding == "a tool event names no call; undocumented tool statuses: ODD"


def test_no_tool_event_is_no_finding() -> None:
    assert judging.tool(answered()).finding == "no tool event came: the model answered without a tool"
    assert "lost" in judging.tool(Heard(0.0, error="lost")).finding


def test_a_replaced_answer_is_read_as_it_ends() -> None:
    turn = heard(
        ("chat/answer", {"text": "wrong"}),
        ("chat/answer", {"content": "right", "overwrite": True}),
        ("chat/finish", {"fullAnswer": None}),
    )
    assert (turn.text, turn.succeeded) == ("right", True)
