from lingma_gateway.conversation import Media, MediaKind, Message, Role, Text, Turn
from lingma_gateway.sessions.affinity import preferred

NAMES = [f"account-{number}" for number in range(5)]


def turn(*said: tuple[Role, str], user: str | None = None) -> Turn:
    return Turn(None, tuple(Message(role, (Text(text),)) for role, text in said), stream=False, user=user)


def test_conversations_of_one_user_prefer_one_account_whatever_they_say() -> None:
    places = {preferred(turn((Role.USER, str(number)), user="kim"), "team-a", NAMES) for number in range(20)}
    assert len(places) == 1


def test_without_a_user_the_first_system_text_counts_else_the_first_message() -> None:
    system = [turn((Role.SYSTEM, "Be brief"), (Role.USER, str(number))) for number in range(20)]
    assert len({preferred(each, "team-a", NAMES) for each in system}) == 1
    asked = [turn((Role.USER, str(number))) for number in range(60)]
    assert {preferred(each, "team-a", NAMES) for each in asked} == set(NAMES)
    later = turn((Role.USER, "7"), (Role.ASSISTANT, "Hi"), (Role.USER, "more"))
    assert preferred(later, "team-a", NAMES) == preferred(asked[7], "team-a", NAMES)


def test_a_header_that_changes_with_each_release_does_not_move_a_conversation() -> None:
    def asked(release: str) -> Turn:
        header = Text(f"x-anthropic-billing-header: cc_version={release};")
        system = Message(Role.SYSTEM, (header, Text("You are Claude Code")))
        return Turn(None, (system, Message(Role.USER, (Text("Hello"),))), stream=False)

    assert len({preferred(asked(f"2.1.{number}"), "team-a", NAMES) for number in range(20)}) == 1


def test_when_an_account_goes_only_its_own_conversations_move() -> None:
    asked = [turn((Role.USER, str(number))) for number in range(60)]
    before = {each: preferred(each, "team-a", NAMES) for each in asked}
    after = {each: preferred(each, "team-a", NAMES[1:]) for each in asked}
    assert all(after[each] == before[each] for each in asked if before[each] != NAMES[0])


def test_keys_are_spread_and_nothing_to_say_or_to_choose_from_is_no_failure() -> None:
    assert len({preferred(turn((Role.USER, "Hello")), f"key-{number}", NAMES) for number in range(20)}) > 1
    assert preferred(turn(), "team-a", NAMES) in NAMES
    assert preferred(turn((Role.USER, "Hello")), "team-a", []) is None
    image = Message(Role.USER, (Media(MediaKind.IMAGE, "messages[0]"),))
    assert preferred(Turn(None, (image,), stream=False), "team-a", NAMES) in NAMES
