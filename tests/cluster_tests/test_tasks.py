import threading

import pytest

from tests.cluster.tasks import Task, run_all


def test_each_runs_after_what_it_waits_for() -> None:
    order: list[str] = []
    run_all(
        [
            Task("c", lambda: order.append("c"), ("a", "b")),
            Task("b", lambda: order.append("b"), ("a",)),
            Task("a", lambda: order.append("a")),
        ]
    )
    assert order == ["a", "b", "c"]


def test_what_is_independent_runs_side_by_side() -> None:
    meeting = threading.Barrier(2, timeout=5)  # breaks unless both are there at once

    def meet() -> None:
        meeting.wait()

    run_all([Task("a", meet), Task("b", meet)])


def test_after_a_failure_nothing_new_begins() -> None:
    begun: list[str] = []

    def fail() -> None:
        raise RuntimeError("no disk")

    with pytest.raises(RuntimeError, match="no disk"):
        run_all([Task("a", fail), Task("b", lambda: begun.append("b"), ("a",))])
    assert begun == []


WRONG = {
    "a name that nobody has": [Task("a", lambda: None, ("x",))],
    "a circle": [Task("a", lambda: None, ("b",)), Task("b", lambda: None, ("a",))],
}


@pytest.mark.parametrize("tasks", WRONG.values(), ids=WRONG.keys())
def test_it_does_not_wait_for_ever_on(tasks: list[Task]) -> None:
    with pytest.raises(ValueError):
        run_all(tasks)
