import pytest

from lingma_gateway.answers.results import Arrival, Arrived, arrived
from lingma_gateway.conversation import Media, MediaKind, Message, Role, Text, ToolCall, ToolResult


def user(*parts: Text | ToolResult) -> Message:
    return Message(Role.USER, parts)


def calls(*ids: str) -> Message:
    return Message(Role.ASSISTANT, tuple(ToolCall(id, "Read", "{}") for id in ids))


def result(id: str, text: str = "ok", **more: object) -> Message:
    return Message(Role.TOOL, (ToolResult(id, (Text(text),), **more),))  # type: ignore[arg-type]


ASKED = user(Text("Read them"))

CASES: dict[str, tuple[tuple[Message, ...], list[tuple[str, Arrival]]]] = {
    "no answer yet": ((ASKED, result("c-1")), []),
    "as it was waited for": ((ASKED, calls("c-1"), result("c-1")), [("c-1", Arrival.OK)]),
    "as one part of the user's message": (
        (ASKED, calls("c-1"), user(ToolResult("c-1", (Text("ok"),)), Text("go on"))),
        [("c-1", Arrival.OK)],
    ),
    "an error": ((ASKED, calls("c-1"), result("c-1", is_error=True)), [("c-1", Arrival.ERROR)]),
    "several, in the client's order": (
        (ASKED, calls("c-1", "c-2"), result("c-2"), result("c-1")),
        [("c-2", Arrival.OK), ("c-1", Arrival.OK)],
    ),
    "one missing": (
        (ASKED, calls("c-1", "c-2"), result("c-1")),
        [("c-1", Arrival.OK), ("c-2", Arrival.MISSING)],
    ),
    "all missing": ((ASKED, calls("c-1"), user(Text("never mind"))), [("c-1", Arrival.MISSING)]),
    "nothing after the answer": ((ASKED, calls("c-1")), []),
    "late": (
        (ASKED, calls("c-1"), user(Text("wait")), calls("c-2"), result("c-2"), result("c-1")),
        [("c-2", Arrival.OK), ("c-1", Arrival.LATE)],
    ),
    "repeated in one request": (
        (ASKED, calls("c-1"), result("c-1"), result("c-1", "other")),
        [("c-1", Arrival.OK), ("c-1", Arrival.REPEATED)],
    ),
    "repeated later": (
        (ASKED, calls("c-1"), result("c-1"), calls("c-2"), result("c-1"), result("c-2")),
        [("c-1", Arrival.REPEATED), ("c-2", Arrival.OK)],
    ),
    "unknown": ((ASKED, calls("c-1"), result("c-1"), result("c-9")), [("c-1", Arrival.OK), ("c-9", Arrival.UNKNOWN)]),
    "only those since the last answer": (
        (ASKED, calls("c-1"), result("c-1"), calls("c-2"), result("c-2")),
        [("c-2", Arrival.OK)],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_result_is_told_apart(case: str) -> None:
    messages, expected = CASES[case]
    assert [(found.call_id, found.arrival) for found in arrived(messages)] == expected


def test_a_result_has_the_name_that_its_client_or_its_call_says_and_its_text() -> None:
    picture = Media(MediaKind.IMAGE, "messages[2].content[1]")
    named = Message(Role.TOOL, (ToolResult("c-2", (Text("one"), picture, Text("two")), name="ls"),))
    assert arrived((ASKED, calls("c-1"), result("c-1", "text"), named)) == [
        Arrived("c-1", "Read", Arrival.OK, "text"),
        Arrived("c-2", "ls", Arrival.UNKNOWN, "one\ntwo"),
    ]
