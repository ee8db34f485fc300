"""docs/protocol.md shows the tables that the code runs by."""

import re
from pathlib import Path

from lingma_gateway.codec import session
from lingma_gateway.lingma import states
from lingma_gateway.lingma.refusals import KINDS

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()


def rows(heading: str) -> list[tuple[str, ...]]:
    """The cells of the table under this line of headings."""
    lines = PAGE.partition(f"{heading}\n")[2].splitlines()[1:]
    table = lines[: next(number for number, line in enumerate(lines) if not line.startswith("|"))]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in table]


def test_the_states_of_the_connection_are_those_of_the_code() -> None:
    expected = [(old.value, cause.value, new.value) for (old, cause), new in states.TRANSITIONS.items()]
    assert rows("| state | cause | then |") == expected


def test_the_states_of_an_id_are_those_of_the_code() -> None:
    expected = [(old.value, step.value, new.value) for (old, step), new in session.TRANSITIONS.items()]
    assert rows("| state | step | then |") == expected


def test_every_code_of_a_refusal_stands_there_with_its_answer() -> None:
    shown = {code: answer for codes, answer, _ in rows("| code | answer | why |") for code in codes.split(", ")}
    assert set(shown) == {*KINDS, "any other"}
    for code, (kind, retry_after_s) in KINDS.items():
        assert shown[code].startswith(f"{kind.fault.status} `{kind.fault.code}`")
        found = re.search(r"Retry-After: (\d+)", shown[code])
        assert (float(found[1]) if found else None) == retry_after_s
