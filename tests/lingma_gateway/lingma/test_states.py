import pytest

from lingma_contract.health import State
from lingma_gateway.lingma.states import TRANSITIONS, Cause, IllegalTransition, after


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("cause", Cause)
def test_the_table_is_all_that_can_happen(state: State, cause: Cause) -> None:
    if (state, cause) in TRANSITIONS:
        assert after(state, cause) is TRANSITIONS[state, cause]
    else:
        with pytest.raises(IllegalTransition, match=state.value):
            after(state, cause)


def reachable(start: State) -> set[State]:
    found = {start}
    while True:
        further = {to for (state, _), to in TRANSITIONS.items() if state in found} - found
        if not further:
            return found
        found |= further


def test_every_state_is_reached_from_the_first() -> None:
    assert reachable(State.STOPPED) == set(State)


@pytest.mark.parametrize("state", [state for state in State if state is not State.CLOSED])
def test_no_state_is_the_end_but_closed(state: State) -> None:
    assert State.READY in reachable(state)


def test_closed_is_the_end() -> None:
    assert reachable(State.CLOSED) == {State.CLOSED}


@pytest.mark.parametrize("state", [State.STARTING, State.READY, State.RECONNECTING, State.FAILED])
def test_whatever_runs_can_be_closed(state: State) -> None:
    assert after(state, Cause.CLOSE) is State.CLOSED
