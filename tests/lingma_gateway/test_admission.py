import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.admission import FairQueue, Fate, TurnTimes


def queue_of(*waiting: str) -> FairQueue[str]:
    """Each is `KEY` and a number: `a1`."""
    queue: FairQueue[str] = FairQueue()
    for item in waiting:
        queue.add(item[0], item)
    return queue


def served(queue: FairQueue[str], slots: int = 99) -> list[str]:
    """Who is served, in order, with so many free slots."""
    order: list[str] = []

    def serve(item: str) -> Fate:
        if len(order) == slots:
            return Fate.WAITS
        order.append(item)
        return Fate.SERVED

    queue.offer(serve)
    return order


# Whose turn it is


def test_keys_are_served_in_turn_and_each_in_the_order_of_its_requests() -> None:
    assert served(queue_of("a1", "a2", "a3", "b1", "c1", "b2")) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_the_turn_goes_on_where_it_was_when_slots_become_free_one_by_one() -> None:
    queue = queue_of("a1", "a2", "a3", "b1", "b2")
    assert [served(queue, 1) for _ in range(6)] == [["a1"], ["b1"], ["a2"], ["b2"], ["a3"], []]
    assert len(queue) == 0


def test_a_key_that_got_nothing_is_still_the_next() -> None:
    queue = queue_of("a1", "b1")
    assert served(queue, 0) == []
    queue.add("a", "a2")
    assert served(queue, 1) == ["a1"]
    assert served(queue, 1) == ["b1"]


def test_one_who_waits_for_another_slot_holds_up_neither_its_key_nor_others() -> None:
    queue = queue_of("a1", "a2", "b1")
    taken: list[str] = []

    def serve(item: str) -> Fate:
        if item == "a1":
            return Fate.WAITS
        taken.append(item)
        return Fate.SERVED

    queue.offer(serve)
    assert taken == ["a2", "b1"]
    assert served(queue) == ["a1"]


def test_whoever_is_gone_is_passed_over() -> None:
    queue = queue_of("a1", "a2", "b1")
    queue.offer(lambda item: Fate.GONE if item != "a2" else Fate.WAITS)
    assert len(queue) == 1
    assert served(queue) == ["a2"]


def test_whoever_leaves_waits_no_longer() -> None:
    queue = queue_of("a1", "a2", "b1")
    assert queue.remove("a1")
    assert not queue.remove("a1")
    assert queue.remove("b1")
    assert served(queue) == ["a2"]


@given(st.lists(st.sampled_from("abc"), max_size=30), st.integers(1, 4))
def test_no_key_is_served_twice_while_another_waits_once(keys: list[str], slots: int) -> None:
    queue = queue_of(*(f"{key}{number}" for number, key in enumerate(keys)))
    order: list[str] = []
    while len(queue):
        order += served(queue, slots)
    assert sorted(order) == sorted(f"{key}{number}" for number, key in enumerate(keys))
    for position, item in enumerate(order):
        last = next((at for at in reversed(range(position)) if order[at][0] == item[0]), None)
        between = {other[0] for other in order[last + 1 : position]} if last is not None else set()
        still_waiting = {other[0] for other in order[position + 1 :]} - {item[0]}
        assert last is None or still_waiting <= between


# Who makes room


def test_the_last_of_the_longest_line_makes_room_for_a_key_with_at_least_two_fewer() -> None:
    queue = queue_of("a1", "a2", "b1")
    assert queue.make_room("c") == "a2"
    assert queue.make_room("c") is None
    assert served(queue) == ["a1", "b1"]


@pytest.mark.parametrize("waiting", [(), ("a1",), ("a1", "b1"), ("a1", "a2", "b1")])
def test_no_key_pushes_out_one_that_has_hardly_more_waiting(waiting: tuple[str, ...]) -> None:
    assert queue_of(*waiting).make_room("b" if waiting else "a") is None


# When a slot will be free


def test_before_anything_was_measured_a_turn_takes_five_seconds() -> None:
    times = TurnTimes()
    assert times.mean_s == times.remaining_s(0) == 5


def test_a_running_turn_needs_what_others_needed_from_its_age_on() -> None:
    times = TurnTimes()
    for duration_s in (10, 20, 60):
        times.add(duration_s)
    assert times.remaining_s(15) == 25  # those of 20 and 60 got there
    assert times.remaining_s(100) == times.mean_s


def test_only_the_last_turns_count() -> None:
    times = TurnTimes()
    for duration_s in [1000.0] * 10 + [2.0] * 64:
        times.add(duration_s)
    assert times.mean_s == 2


def test_the_earliest_slot_is_that_of_the_oldest_turn_and_those_ahead_take_theirs_first() -> None:
    times = TurnTimes()
    for _ in range(64):
        times.add(10)
    assert times.earliest_slot_s([1, 7], free=0, ahead=0) == 3
    assert times.earliest_slot_s([1, 7], free=0, ahead=1) == 9
    assert times.earliest_slot_s([1, 7], free=0, ahead=2) == 13
    assert times.earliest_slot_s([7], free=1, ahead=0) == 0
    assert times.earliest_slot_s([], free=0, ahead=3) == 10
