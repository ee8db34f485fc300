import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.conversation import (
    Media,
    MediaKind,
    Message,
    OutputFormat,
    Part,
    Reasoning,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
)
from lingma_gateway.tokens import Meter, estimate, request_tokens

PIECE = st.sampled_from("aZ5 \n\t.,_é思。я한🎉\x00")


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("a", 1),
        ("Hello", 1),
        ("Hello, world!", 3),
        ("2026", 5),
        ("思考", 2),
        ("思考一下这个问题。", 6),
        ("\ttab\r\n\x01", 3),
        (" ", 1),
    ],
)
def test_a_word_is_about_a_token_and_so_is_a_digit(text: str, tokens: int) -> None:
    assert estimate(text) == tokens


@given(st.text(), st.text())
def test_more_text_is_never_fewer_tokens(text: str, more: str) -> None:
    assert estimate(text) <= estimate(text + more)
    assert (estimate(text) == 0) == (text == "")


@given(st.lists(st.text(PIECE, max_size=90)))
def test_text_in_pieces_counts_exactly_as_the_whole(pieces: list[str]) -> None:
    meter = Meter()
    for piece in pieces:
        meter.add(piece)
    assert meter.tokens == estimate("".join(pieces))


@given(st.text(PIECE), st.text(PIECE), st.integers(0, 30))
def test_what_fits_is_the_longest_beginning_that_stays_within_the_limit(before: str, text: str, limit: int) -> None:
    meter = Meter()
    meter.add(before)
    fitting = meter.fitting(text, limit)
    within = [size for size in range(1, len(text) + 1) if estimate(before + text[:size]) <= limit]
    assert fitting == max(within, default=0)


@given(st.text(st.characters(exclude_categories=[]), min_size=1))
def test_any_text_is_counted_lone_surrogates_too(text: str) -> None:
    assert estimate(text) >= 1


def request(*parts: Part, tools: tuple[Tool, ...] = (), output: OutputFormat | None = None) -> int:
    return request_tokens(Turn(None, (Message(Role.USER, parts),), False, tools=tools, output=output))


def test_a_request_counts_its_messages_with_the_marks_around_them() -> None:
    assert request(Text("Hello")) == 1 + 4
    one = Message(Role.USER, (Text("Hello"),))
    assert request_tokens(Turn(None, (one, one), stream=True)) == estimate("Hello\nHello") + 2 * 4


def test_a_request_counts_calls_results_and_media_as_their_placeholder() -> None:
    empty = request()
    assert request(ToolCall("call_1", "read", '{"path":"a"}')) > request(ToolCall("call_1", "read", "{}")) > empty
    text = ToolResult("call_1", (Text("a long answer of the tool"),))
    image = ToolResult("call_1", (Media(MediaKind.IMAGE, "messages[0].content[0]", data=b"x" * 9000),))
    assert request(text) > request(image) > request(ToolResult("call_1", ()))
    assert request(Media(MediaKind.FILE, "messages[0].content[0]")) - empty == estimate("[file]")


def test_a_request_does_not_count_what_the_model_thought() -> None:
    assert request(Reasoning("a long thought")) == request()


def test_a_request_counts_its_tools_and_the_schema_of_the_answer() -> None:
    tool = Tool("read", "Reads a file", '{"type":"object"}')
    two = request(tools=(tool, tool)) - request()
    assert two == pytest.approx(2 * (request(tools=(tool,)) - request()), abs=2)
    assert request(output=OutputFormat('{"type":"object"}')) > request(output=OutputFormat()) == request()
