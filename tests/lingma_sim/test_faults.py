import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_sim import faults
from lingma_sim.faults import KINDS, Chosen, FaultError, Faults, Form, Where, parse, parse_one

GOOD: dict[str, Chosen] = {
    "missing-finish": Chosen("missing-finish", ""),
    "missing-finish*2": Chosen("missing-finish", "", 2),
    "slow-first": Chosen("slow-first", "1"),
    "slow-first=0.25": Chosen("slow-first", "0.25"),
    "split-frames=3*4": Chosen("split-frames", "3", 4),
    "overwrite=replace": Chosen("overwrite", "replace"),
    "mute=ping": Chosen("mute", "ping"),
    "finish-code=408 timed out": Chosen("finish-code", "408 timed out"),
    "mute=a*b": Chosen("mute", "a*b"),
}

BAD = {
    "missing-finish=1": "takes no value",
    "nonsense": "there is no fault",
    "": "there is no fault",
    "mute": "needs a value",
    "overwrite=never": "one of extend, replace, each",
    "slow-first=soon": "does not take",
    "slow-first=nan": "does not take",
    "slow-first=1e9": "does not take",
    "split-frames=0": "does not take",
    "split-frames=x": "does not take",
    "split-frames=99999999": "does not take",
    "finish-code=bad": "does not take",
    "finish-code=123456": "does not take",
    "mute=a\nb": "does not take",
    "missing-finish*0": "cannot strike",
}


@pytest.mark.parametrize("text", GOOD)
def test_a_fault_is_named_with_its_value_and_how_often_it_strikes(text: str) -> None:
    assert parse_one(text) == GOOD[text]


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_fault_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(FaultError, match=BAD[text]):
        parse_one(text)


@pytest.mark.parametrize("kind", KINDS.values(), ids=str)
def test_every_default_is_a_value_of_its_fault(kind: faults.Kind) -> None:
    if kind.default is not None:
        assert kind.value("") == kind.default
    assert (kind.default is None) == (kind.form in (Form.NONE, Form.TEXT))


def test_several_faults_come_as_a_list_or_as_json() -> None:
    wanted = [Chosen("status", "6"), Chosen("missing-finish", "", 1), Chosen("slow-first", "2")]
    assert parse("status=6, missing-finish*1\nslow-first=2,") == wanted
    assert parse('{"status": 6, "missing-finish": {"times": 1}, "slow-first": "2"}') == wanted
    assert faults.from_json(["status=6", "missing-finish*1", "slow-first=2"]) == wanted
    assert faults.from_json("status=6,missing-finish*1,slow-first=2") == wanted
    assert faults.from_json({"no-answer": True, "no-models": None, "status": {"value": 2}}) == [
        Chosen("no-answer", ""),
        Chosen("no-models", ""),
        Chosen("status", "2"),
    ]
    assert parse("") == []


@pytest.mark.parametrize("text", ['{"status":', "{" + '"a":[' * 99_999, '{"status": false}', '{"status": []}'])
def test_json_that_names_no_faults_is_refused(text: str) -> None:
    with pytest.raises(FaultError):
        parse(text)


@pytest.mark.parametrize("given_json", [7, {"no-answer": {"times": True}}, {"no-answer": {"times": "2"}}])
def test_json_of_another_shape_is_refused(given_json: object) -> None:
    with pytest.raises(FaultError):
        faults.from_json(given_json)


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    try:
        parse(text)
    except FaultError as refused:
        assert str(refused)


def test_a_fault_strikes_as_often_as_it_was_told_to() -> None:
    on = Faults(parse("split-frames=3*2,no-models"))
    assert [on.take("split-frames") for _ in range(3)] == ["3", "3", None]
    assert [on.take("no-models") for _ in range(3)] == [""] * 3
    assert on.peek("no-models") == ""
    assert on.describe() == {"no-models": {"value": "", "times": None}}


def test_a_fault_is_changed_and_cleared() -> None:
    on = Faults(parse("status=6,whitelist=1,no-models"))
    on.set(parse("status=5"))
    on.clear(["whitelist", "serial"])
    assert on.describe() == {"no-models": {"value": "", "times": None}, "status": {"value": "5", "times": None}}
    with pytest.raises(FaultError):
        on.clear(["nonsense"])
    on.clear()
    assert on.describe() == {}


def test_a_fault_of_one_value_is_taken_for_that_value_alone() -> None:
    on = Faults(parse("mute=ping*1"))
    assert not on.take_if("mute", "chat/stop")
    assert on.take_if("mute", "ping")
    assert not on.take_if("mute", "ping")


def test_seconds_of_a_fault_that_is_off_are_none() -> None:
    on = Faults(parse("slow-initialize=0.5"))
    assert (on.seconds("slow-initialize"), on.seconds("late-replies")) == (0.5, 0.0)


def test_a_turn_takes_the_faults_of_turns_and_its_own_go_first() -> None:
    on = Faults(parse("no-models,slow-first=2*1,overwrite=each"))
    values = on.for_turn([parse_one("overwrite=extend"), parse_one("empty-chunks=3")])
    assert values == {"slow-first": "2", "overwrite": "extend", "empty-chunks": "3"}
    assert (values.seconds("slow-first"), values.count("empty-chunks")) == (2.0, 3)
    assert (values.seconds("slow-chunks"), values.count("quota"), values.text("quota")) == (0.0, 0, "")
    assert values.on("overwrite")
    assert not values.on("quota")
    assert on.for_turn() == {"overwrite": "each"}
    assert all(KINDS[name].where is Where.TURN for name in values)
