"""The CRD is in the chart as the operator's models make it, and outlives the release."""

from pathlib import Path

import yaml

from tests.chart.support import CHART, Helm

NAME = "lingmaaccounts.lingma.dev"
GENERATED = Path(__file__).parents[2] / "crds" / f"{NAME}.yaml"


def test_the_charts_copy_is_the_generated_file() -> None:
    assert (CHART / "files" / GENERATED.name).read_text() == GENERATED.read_text(), "run `make crds`"


def test_the_rendered_definition_is_the_generated_one_and_is_kept(helm: Helm) -> None:
    generated = yaml.safe_load(GENERATED.read_text())
    rendered = helm.render().one("CustomResourceDefinition", NAME)
    assert rendered["spec"] == generated["spec"]
    assert (rendered["apiVersion"], rendered["metadata"]["name"]) == (generated["apiVersion"], NAME)
    annotations = generated["metadata"].get("annotations", {})
    assert rendered["metadata"]["annotations"] == {**annotations, "helm.sh/resource-policy": "keep"}


def test_the_definition_goes_with_the_release_only_when_asked(helm: Helm) -> None:
    rendered = helm.render({"crds": {"keep": False}}).one("CustomResourceDefinition", NAME)
    assert "helm.sh/resource-policy" not in rendered["metadata"].get("annotations", {})


def test_someone_else_may_install_the_definition(helm: Helm) -> None:
    assert helm.render({"crds": {"install": False}}).of("CustomResourceDefinition") == []
