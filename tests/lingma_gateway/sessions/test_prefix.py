from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.conversation import Media, MediaKind, Message, Part, Reasoning, Role, Text, ToolCall, ToolResult
from lingma_gateway.sessions.prefix import Prefix, prefixes


def said(role: Role, *parts: Part | str) -> Message:
    return Message(role, tuple(Text(part) if isinstance(part, str) else part for part in parts))


HELLO, HI, WHY = said(Role.USER, "Hello"), said(Role.ASSISTANT, "Hi"), said(Role.USER, "Why?")
CALL = ToolCall("call_1", "read", '{"path": "a", "n": 1}')
RESULT = ToolResult("call_1", (Text("the file"),))
IMAGE = Media(MediaKind.IMAGE, "messages[0].content[0]", "image/png", b"png")


def last(*messages: Message) -> Prefix:
    return prefixes(messages)[-1]


def same(one: list[Message], other: list[Message]) -> bool:
    return [prefix.digest for prefix in prefixes(one)] == [prefix.digest for prefix in prefixes(other)]


def test_each_answer_ends_a_prefix_and_the_longer_ones_build_on_the_shorter() -> None:
    found = prefixes([HELLO, HI, WHY, HI, WHY])
    assert [prefix.length for prefix in found] == [2, 4]
    assert found[0] == last(HELLO, HI)
    assert found[1] != found[0]
    assert prefixes([HELLO]) == []


def test_whitespace_at_the_edges_and_how_text_is_cut_into_blocks_do_not_matter() -> None:
    blocks = [said(Role.USER, "one", "two "), HI]
    assert same(blocks, [said(Role.USER, " one\ntwo\n"), said(Role.ASSISTANT, "Hi\n")])
    assert same(blocks, [said(Role.USER, "one"), said(Role.USER, "two"), said(Role.ASSISTANT, " ", "Hi")])
    assert not same(blocks, [said(Role.USER, "one two"), HI])


def test_what_the_model_thought_may_be_kept_or_dropped() -> None:
    assert same([HELLO, said(Role.ASSISTANT, Reasoning("hm"), "Hi")], [HELLO, HI])
    assert last(HELLO, HI, said(Role.ASSISTANT, Reasoning("hm"))).length == 2


def test_an_answer_with_calls_is_known_by_their_ids() -> None:
    calling = [HELLO, said(Role.ASSISTANT, "I read", CALL)]
    again = ToolCall("call_1", "read", '{"n":1,"path":"a"}')
    assert same(calling, [HELLO, said(Role.ASSISTANT, again)])
    assert same(calling, [HELLO, said(Role.ASSISTANT, "I read"), said(Role.ASSISTANT, again)]) is False
    assert not same(calling, [HELLO, said(Role.ASSISTANT, "I read", ToolCall("call_2", "read", CALL.arguments))])


def test_calls_of_the_form_without_ids_are_known_by_name_and_arguments() -> None:
    calling = [HELLO, said(Role.ASSISTANT, ToolCall("", "read", "{}"))]
    assert not same(calling, [HELLO, said(Role.ASSISTANT, ToolCall("", "write", "{}"))])
    assert not same(calling, [HELLO, said(Role.ASSISTANT, ToolCall("", "read", '{"n":1}'))])


def test_results_are_the_same_whether_they_are_the_user_s_or_have_a_role_of_their_own() -> None:
    loop = [HELLO, said(Role.ASSISTANT, CALL), said(Role.TOOL, RESULT), said(Role.USER, "Go on"), HI]
    assert same(loop, [HELLO, said(Role.ASSISTANT, CALL), said(Role.USER, RESULT, "Go on"), HI])
    cleared = said(Role.TOOL, ToolResult("call_1", (Text("[cleared]"),)))
    assert not same(loop, [HELLO, said(Role.ASSISTANT, CALL), cleared, said(Role.USER, "Go on"), HI])


def test_a_result_s_text_is_not_the_user_s() -> None:
    inside = [said(Role.USER, ToolResult("c", (Text("a"),)), "b"), HI]
    assert not same(inside, [said(Role.USER, ToolResult("c", (Text("a"), Text("b")))), HI])


def test_images_are_known_by_what_they_show() -> None:
    shown = [said(Role.USER, IMAGE), HI]
    assert same(shown, [said(Role.USER, Media(MediaKind.IMAGE, "messages[7]", data=b"png")), HI])
    assert not same(shown, [said(Role.USER, Media(MediaKind.IMAGE, "messages[0]", data=b"other")), HI])
    linked = [said(Role.USER, Media(MediaKind.IMAGE, "messages[0]", url="https://images.example/a")), HI]
    assert not same(shown, linked)
    assert not same(linked, [said(Role.USER, Media(MediaKind.IMAGE, "messages[0]")), HI])


def test_a_system_text_counts_but_for_the_header_that_changes_with_each_release() -> None:
    header = "x-anthropic-billing-header: cc_version=2.1.328.b3f;"
    chat = [said(Role.SYSTEM, "Be brief"), HELLO, HI]
    assert same(chat, [said(Role.SYSTEM, header, "Be brief"), HELLO, HI])
    assert not same(chat, [HELLO, HI])
    assert same([HELLO, HI], [said(Role.SYSTEM, header), HELLO, HI])


TEXT = st.text(st.sampled_from("ab \n1"), max_size=4)
PART = st.one_of(
    st.builds(Text, TEXT),
    st.builds(Reasoning, TEXT),
    st.builds(ToolCall, st.sampled_from(["", "c1", "c2"]), st.just("f"), st.just("{}")),
    st.builds(ToolResult, st.sampled_from(["c1", "c2"]), st.tuples(st.builds(Text, TEXT))),
)
MESSAGES = st.lists(st.builds(Message, st.sampled_from(list(Role)), st.lists(PART, max_size=3).map(tuple)), max_size=6)


@given(MESSAGES, MESSAGES)
def test_what_follows_does_not_change_the_prefixes_before_it(messages: list[Message], more: list[Message]) -> None:
    whole = [*messages, said(Role.USER, "?"), *more]
    before = prefixes([*messages, said(Role.USER, "?")])
    assert prefixes(whole)[: len(before)] == before


@given(MESSAGES)
def test_lengths_grow_and_end_at_messages_of_the_model(messages: list[Message]) -> None:
    lengths = [prefix.length for prefix in prefixes(messages)]
    assert lengths == sorted(set(lengths))
    assert all(messages[length - 1].role is Role.ASSISTANT for length in lengths)
