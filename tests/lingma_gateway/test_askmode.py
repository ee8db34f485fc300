import pytest

from lingma_gateway.askmode import AskMode, AskModes, model_of
from lingma_gateway.conversation import Message, Role, Text, Tool, Turn
from lingma_gateway.errors import ModelNotFound


def turn(model: str | None, *tools: Tool) -> Turn:
    return Turn(model, (Message(Role.USER, (Text("Hello"),)),), stream=False, tools=tools)


@pytest.mark.parametrize("model", ["agent", "lingma-agent", "Lingma-AGENT"])
def test_the_agents_ids_in_any_case_ask_it_and_name_no_model(model: str) -> None:
    assert AskModes(agent_served=True).of(turn(model)) is AskMode.AGENT
    assert model_of(turn(model)) is None
    with pytest.raises(ModelNotFound, match="AGENT_MODE"):
        AskModes().of(turn(model))


@pytest.mark.parametrize("model", [None, "org_auto", "agent-2"])
def test_other_models_are_asked_as_the_settings_say(model: str | None) -> None:
    assert AskModes(agent_served=True).of(turn(model)) is AskMode.CHAT
    assert AskModes(agent_served=True, default=AskMode.AGENT).of(turn(model)) is AskMode.AGENT
    assert model_of(turn(model)) == model


def test_tools_ask_the_agent_where_it_takes_them() -> None:
    modes = AskModes(agent_served=True, agent_takes_tools=True)
    assert modes.of(turn(None, Tool("Read"))) is AskMode.AGENT
    assert modes.of(turn(None)) is AskMode.CHAT
    assert AskModes(agent_served=True).of(turn(None, Tool("Read"))) is AskMode.CHAT


def test_settings_that_ask_for_what_is_off_are_named() -> None:
    assert AskModes(default=AskMode.AGENT).unserved() == "DEFAULT_ASK_MODE"
    assert AskModes(agent_takes_tools=True).unserved() == "TOOLS_MODE"
    assert AskModes().unserved() is None
    assert AskModes(agent_served=True, default=AskMode.AGENT).unserved() is None
