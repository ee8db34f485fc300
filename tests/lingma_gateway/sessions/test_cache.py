import pytest

from lingma_gateway.conversation import (
    ChoiceMode,
    Message,
    OutputFormat,
    Reasoning,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from lingma_gateway.sessions.cache import Dropped
from lingma_gateway.sessions.continuing import Holder
from tests.lingma_gateway.sessions.support_cache import ALICE, BOB, KEY, Kept, answer, turn, user

READ, WRITE = Tool("read", "Reads a file"), Tool("write", "Writes a file")


def test_the_next_turn_goes_on_in_the_session_with_only_what_is_new() -> None:
    kept = Kept()
    assert kept.chat(turn("one"), "1").outcome == "miss:first"
    place = kept.chat(turn("one", "1", "two"), "2")
    assert (place.outcome, place.session_id, place.unseen) == ("hit", "s-1", (user("two"),))
    third = kept.begin(turn("one", "1", "two", "2", "three"))
    assert (third.outcome, third.unseen) == ("hit", (user("three"),))
    assert kept.deleted() == []


def test_the_account_that_holds_the_longest_beginning_is_preferred() -> None:
    kept = Kept()
    kept.chat(turn("one"), "1", "s-1", ALICE)
    kept.chat(turn("one", "1", "x", "y", "two"), "2", "s-2", BOB)
    assert kept.cache.preferred(turn("one", "1", "two"), KEY) is None, "bob's turn gave alice's session up"
    assert kept.cache.preferred(turn("one", "1", "x", "y", "two", "2", "three"), KEY) == "bob"
    assert kept.cache.preferred(turn("one", "1", "x", "y", "two", "2", "three"), "team-b") is None


def test_another_key_has_conversations_of_its_own() -> None:
    kept = Kept()
    kept.chat(turn("one"), "1")
    assert kept.begin(turn("one", "1", "two"), key="team-b").outcome == "miss:unknown"


def test_a_changed_history_starts_a_new_session_and_leaves_the_old_branch_be() -> None:
    kept = Kept()
    kept.chat(turn("one"), "1")
    changed = kept.begin(turn("one", "1!", "two"))
    assert (changed.outcome, changed.session_id, changed.unseen) == ("miss:unknown", "", changed.turn.messages)
    assert kept.begin(turn("one", "1", "two")).outcome == "hit"


def test_of_two_turns_that_go_on_at_once_the_second_starts_anew() -> None:
    kept = Kept()
    kept.chat(turn("one"), "1")
    first, second = kept.begin(turn("one", "1", "two")), kept.begin(turn("one", "1", "zwei"))
    assert (first.outcome, second.outcome) == ("hit", "miss:busy")
    kept.cache.succeeded(first, "s-1", answer("2"))
    kept.cache.succeeded(second, "s-2", answer("2"))
    assert kept.begin(turn("one", "1", "two", "2", "3")).session_id == "s-1"
    assert kept.begin(turn("one", "1", "zwei", "2", "3")).session_id == "s-2"
    assert kept.begin(turn("one", "1", "drei")).outcome == "miss:unknown", "nobody goes on with it any more"


def test_a_session_that_is_kept_for_another_model_goes_on_when_its_model_comes_back() -> None:
    kept = Kept()
    kept.chat(turn("one"), "1")
    other = kept.begin(turn("one", "1", "two"), model="qwen")
    assert other.outcome == "miss:model"
    kept.cache.succeeded(other, "s-2", answer("2"))
    back = kept.begin(turn("one", "1", "two", "2", "three"))
    assert (back.outcome, back.session_id) == ("hit", "s-1")
    assert back.unseen == (user("two"), answer("2"), user("three"))


def test_tools_added_later_are_told_with_the_next_message() -> None:
    kept = Kept()
    assert kept.chat(turn("one", tools=(READ,)), "1").untold_tools == (READ,)
    added = kept.chat(turn("one", "1", "two", tools=(WRITE, READ)), "2")
    assert (added.outcome, added.untold_tools) == ("hit", (WRITE,))
    assert kept.begin(turn("one", "1", "two", "2", "three", tools=(READ, WRITE))).untold_tools == ()


@pytest.mark.parametrize("tools", [(), (WRITE,), (Tool("read", "Reads more"), WRITE), (Tool("read", schema="[]"),)])
def test_a_tool_that_is_gone_or_has_changed_starts_a_new_session(tools: tuple[Tool, ...]) -> None:
    kept = Kept()
    kept.chat(turn("one", tools=(READ,)), "1")
    assert kept.begin(turn("one", "1", "two", tools=tools)).outcome == "miss:tools"


def test_tools_that_must_not_be_called_are_not_told_and_not_missed() -> None:
    kept = Kept()
    none = ToolChoice(ChoiceMode.NONE)
    assert kept.chat(turn("one", tools=(READ,), tool_choice=none), "1").untold_tools == ()
    named = ToolChoice(ChoiceMode.REQUIRED, ("write",))
    second = kept.chat(turn("one", "1", "two", tools=(READ, WRITE), tool_choice=named), "2")
    assert (second.outcome, second.untold_tools) == ("hit", (WRITE,))
    third = kept.begin(turn("one", "1", "two", "2", "three", tools=(READ, WRITE), tool_choice=none))
    assert (third.outcome, third.untold_tools) == ("hit", ())


def test_another_form_of_the_answer_starts_a_new_session() -> None:
    kept = Kept()
    kept.chat(turn("one", output=OutputFormat("{}")), "1")
    assert kept.begin(turn("one", "1", "two")).outcome == "miss:format"
    assert kept.begin(turn("one", "1", "two", output=OutputFormat("{}"))).outcome == "hit"


def test_a_session_whose_account_is_not_the_one_picked_is_given_up() -> None:
    kept = Kept()
    kept.chat(turn("one"), "1")
    assert kept.begin(turn("one", "1", "two"), BOB).outcome == "miss:account"
    assert kept.deleted() == ["s-1"]


def test_a_restart_or_another_login_ends_the_sessions_of_an_account() -> None:
    kept = Kept()
    kept.chat(turn("one"), "1", holder=Holder("alice", 1))
    assert kept.begin(turn("one", "1", "two"), Holder("alice", 2)).outcome == "miss:restarted"
    assert kept.deleted() == ["s-1"]
    assert kept.cache.stats.dropped == {Dropped.LOST: 1}


@pytest.mark.parametrize("session", ["s-1", "s-renamed", ""])
def test_a_turn_that_fails_gives_its_session_up(session: str) -> None:
    kept = Kept()
    kept.chat(turn("one"), "1")
    place = kept.begin(turn("one", "1", "two"))
    kept.cache.failed(place, session)
    assert set(kept.deleted()) == {"s-1", *({session} - {""})}
    assert kept.begin(turn("one", "1", "two")).outcome == "miss:unknown"


def test_a_first_turn_that_fails_leaves_nothing() -> None:
    kept = Kept()
    kept.cache.failed(kept.begin(turn("one")), "s-1")
    assert kept.deleted() == ["s-1"]
    assert len(kept.cache) == 0


def test_a_session_that_lingma_gave_another_id_is_kept_under_it() -> None:
    kept = Kept()
    kept.chat(turn("one"), "1")
    kept.cache.succeeded(kept.begin(turn("one", "1", "two")), "s-new", answer("2"))
    assert kept.deleted() == ["s-1"]
    assert kept.begin(turn("one", "1", "two", "2", "three")).session_id == "s-new"


def test_two_sessions_that_hold_the_same_are_one_too_many() -> None:
    kept = Kept()
    first, second = kept.begin(turn("one")), kept.begin(turn("one"))
    kept.cache.succeeded(first, "s-1", answer("1"))
    kept.cache.succeeded(second, "s-2", answer("1"))
    assert kept.deleted() == ["s-1"]
    assert kept.cache.stats.dropped == {Dropped.REPEATED: 1}


def test_the_session_that_nothing_came_back_to_for_longest_is_evicted() -> None:
    kept = Kept(max_entries=2)
    kept.chat(turn("a"), "1", "s-a")
    kept.chat(turn("b"), "1", "s-b")
    kept.chat(turn("a", "1", "more"), "2")
    kept.chat(turn("c"), "1", "s-c")
    assert kept.deleted() == ["s-b"]
    assert kept.begin(turn("b", "1", "more")).outcome == "miss:unknown"


def test_a_session_expires_when_nothing_comes_back_to_it() -> None:
    kept = Kept(ttl_s=100)
    kept.chat(turn("a"), "1", "s-a")
    kept.clock.now_s += 60
    kept.chat(turn("b"), "1", "s-b")
    kept.clock.now_s += 40
    assert kept.deleted() == ["s-a"]
    kept.clock.now_s += 60
    assert kept.begin(turn("b", "1", "more")).outcome == "miss:unknown"
    assert kept.deleted() == ["s-b"]
    assert kept.cache.stats.dropped == {Dropped.EXPIRED: 2}


def test_it_goes_on_through_a_loop_of_tools() -> None:
    kept = Kept()
    asked = turn("read it", tools=(READ,))
    first = kept.begin(asked)
    kept.cache.succeeded(
        first, "s-1", Message(Role.ASSISTANT, (Text("I look"), ToolCall("call_1", "read", '{"path":"a", "n":1}')))
    )
    called = Message(Role.ASSISTANT, (ToolCall("call_1", "read", '{"n": 1, "path": "a"}'),))
    result = Message(Role.TOOL, (ToolResult("call_1", (Text("the file"),)),))
    place = kept.begin(Turn(None, (*asked.messages, called, result), stream=True, tools=(READ,)))
    assert (place.outcome, place.unseen) == ("hit", (result,))


def test_an_answer_that_shows_nothing_is_not_gone_on_with() -> None:
    kept = Kept()
    kept.cache.succeeded(kept.begin(turn("one")), "s-1", Message(Role.ASSISTANT, (Reasoning("hm"),)))
    kept.cache.succeeded(kept.begin(turn("one", "beginning of an answer")), "s-2", answer("1"))
    kept.cache.succeeded(kept.begin(turn("one")), "", answer("1"))
    assert kept.deleted() == ["s-1", "s-2"]
    assert len(kept.cache) == 0


def test_where_nothing_new_is_said_there_is_nothing_to_reply_to() -> None:
    kept = Kept()
    kept.chat(turn("one"), "1")
    assert kept.begin(turn("one", "1")).outcome == "miss:first"
    assert kept.begin(turn("one", "1", " ")).outcome == "miss:first"


def test_giving_all_up_has_all_deleted() -> None:
    kept = Kept()
    kept.chat(turn("a"), "1", "s-a")
    kept.chat(turn("b"), "1", "s-b")
    kept.cache.clear()
    assert kept.deleted() == ["s-a", "s-b"]


def test_its_figures_say_what_is_kept_and_what_became_of_turns() -> None:
    kept = Kept()
    kept.chat(turn("one"), "1")
    place = kept.begin(turn("one", "1", "two"))
    assert kept.cache.as_json() == {
        "entries": 0,
        "max_entries": 8,
        "ttl_sec": 100.0,
        "in_use": 1,
        "hits": 1,
        "misses": {"first": 1},
        "dropped": {},
    }
    kept.cache.failed(place, "s-1")
    assert kept.cache.as_json()["in_use"] == 0
    assert kept.cache.as_json()["dropped"] == {"broken": 1}
