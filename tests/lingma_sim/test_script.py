from hypothesis import given
from hypothesis import strategies as st

from lingma_sim.directives import Crash, Fail, Hang, Say, Tool
from lingma_sim.faults import Chosen
from lingma_sim.script import Facts, Script, answer, split, write

FACTS = Facts("alice", ("first\nline", "second"), "org_auto", {"success": True, "name": "ü"})


def told(question: str, facts: Facts = FACTS) -> str:
    return answer(write(question), facts)


def test_a_question_without_directives_is_echoed_whole() -> None:
    assert told("hello\nworld") == "echo: hello\nworld"


def test_a_question_whose_directives_say_nothing_is_echoed() -> None:
    assert told("hello\n@sim chunks 3") == "echo: hello\n@sim chunks 3"


def test_answering_directives_are_joined_by_newlines_in_their_order() -> None:
    assert told("@sim say a\n@sim whoami\n@sim model\n@sim say\n@sim dance x") == (
        "a\nalice\norg_auto\n\nunknown directive: dance x"
    )


def test_recall_numbers_the_earlier_questions_one_a_line() -> None:
    assert told("@sim recall") == "1. first / line\n2. second"


def test_the_addresses_of_the_images_of_the_question_are_told() -> None:
    assert told("@sim images") == "(none)"
    assert told("@sim images", Facts("alice", (), "", None, ("https://a", "https://b"))) == "https://a\nhttps://b"


def test_recall_of_a_new_session_is_nothing() -> None:
    assert told("@sim recall", Facts("alice", (), "", None)) == "(nothing)"


def test_toolresult_is_the_last_reply_as_json() -> None:
    assert told("@sim toolresult") == '{"success": true, "name": "ü"}'


def test_a_turn_that_does_not_end_well_says_only_what_it_was_told_to() -> None:
    assert write("@sim fail 500 no") == Script(ending=Fail(500, "no"))
    assert write("@sim hang") == Script(ending=Hang())
    assert write("@sim say part\n@sim crash") == Script(pieces=(Say("part"),), ending=Crash())


def test_everything_else_of_a_turn_is_in_its_script() -> None:
    script = write(
        '@sim tool a\n@sim tool b {"x":1}\n@sim think t\n@sim chunks 2\n@sim delay 5\n@sim logout\n@sim say x'
    )
    assert script == Script(
        tools=(Tool("a"), Tool("b", {"x": 1})),
        logout=True,
        thoughts=("t",),
        pieces=(Say("x"),),
        chunks=2,
        delay_ms=5,
    )


def test_faults_of_a_turn_are_in_its_script_and_the_question_is_still_answered() -> None:
    script = write("@sim fault no-answer\n@sim fault overwrite=each")
    assert script.faults == (Chosen("no-answer", ""), Chosen("overwrite", "each"))
    assert script.pieces


@given(st.text(), st.integers(1, 50))
def test_splitting_gives_that_many_parts_and_loses_nothing(text: str, chunks: int) -> None:
    parts = split(text, chunks)
    assert len(parts) == chunks
    assert "".join(parts) == text
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
