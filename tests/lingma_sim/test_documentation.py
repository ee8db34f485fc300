import re
from pathlib import Path

import pytest

from lingma_sim import cli, control, directives, faults, sloppy, toolforms
from lingma_sim.methods import METHODS

PAGE = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_on_the_page(method: str) -> None:
    assert f"`{method}`" in PAGE


def test_every_flag_of_start_is_on_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["start", "--help"])
    flags = set(re.findall(r"--[a-zA-Z]+", capsys.readouterr().out)) - {"--help"}
    assert flags
    assert [flag for flag in sorted(flags) if f"`{flag}`" not in PAGE] == []


@pytest.mark.parametrize("name", [*toolforms.FORMS, *sloppy.VARIANTS])
def test_every_form_and_variant_of_a_call_is_on_the_page(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_the_directives_on_the_page_are_known() -> None:
    lines = re.findall(r"^\| `@sim ([^`]+)`", PAGE, re.MULTILINE)
    assert len(lines) == 20
    for line in lines:
        example = (
            line.replace("NAME[=VALUE]", "no-answer")
            .replace("{json}", "{}")
            .replace("CODE", "1")
            .replace(" N", " 1")
            .replace(" MS", " 1")
        )
        example = example.replace("FORM", "kimi").replace("VARIANT", "prose")
        example = f"{line.split()[0]} NAME {{}}" if line.startswith(("tool ", "call ")) else example
        [directive] = directives.parse(f"@sim {example}")
        assert not isinstance(directive, directives.Unknown)


def documented_faults() -> dict[str, set[str]]:
    """The faults of the page's tables, with all words in code beside each."""
    found: dict[str, set[str]] = {}
    for row in re.findall(
        r"^\| `[a-z-]+[=`].*$", PAGE[PAGE.index("## Faults") : PAGE.index("## The control port")], re.M
    ):
        name = re.match(r"\| `([a-z-]+)", row)
        assert name is not None
        words = set(re.findall(r"`([^`]+)`", row))
        found.setdefault(name[1], set()).update({word.rpartition("=")[2] for word in words})
    return found


def test_the_faults_on_the_page_are_those_that_exist() -> None:
    assert set(documented_faults()) == set(faults.KINDS)


@pytest.mark.parametrize("kind", [kind for kind in faults.KINDS.values() if not kind.choices[:1] == ("1",)], ids=str)
def test_every_value_and_default_of_a_fault_is_on_the_page(kind: faults.Kind) -> None:
    assert set(kind.choices) <= documented_faults()[kind.name]
    if kind.form in (faults.Form.SECONDS, faults.Form.COUNT) and kind.name != "crash-start":
        assert re.search(rf"^\| `{kind.name}=(SECONDS|N)` \({kind.default}\)", PAGE, re.MULTILINE)


def test_every_route_and_action_of_the_control_port_is_on_the_page() -> None:
    routes = {f"{method} {path}" for method, path in control.ROUTES}
    actions = {f"POST /actions/{name}" for name in control.ACTIONS}
    assert set(re.findall(r"^\| `((?:GET|POST|DELETE) [^`]+)`", PAGE, re.MULTILINE)) == routes | actions


@pytest.mark.parametrize("name", [cli.FAULTS_VARIABLE, cli.CONTROL_VARIABLE, cli.ACCOUNTS_VARIABLE])
def test_every_variable_is_on_the_page(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_every_row_about_behaviour_has_a_confidence_or_is_ours() -> None:
    for title in ("## Faults", "## Behaviours"):
        section = PAGE[PAGE.index(title) :].partition("\n## ")[0]
        rows = [
            row
            for row in section.splitlines()
            if row.startswith("| ") and not row.startswith(("| Fault", "| Behaviour"))
        ]
        for row in rows:
            *_, source, confidence, _end = row.split("|")
            assert re.fullmatch(r" [HML](, [HML])? | ", confidence), row
            assert confidence.strip() or source.strip() in ("ours", "divergence"), row
