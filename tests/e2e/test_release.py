"""The release itself."""

import pytest

from tests.e2e.support import Lingma

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120, func_only=True)]


def test_installing_what_is_installed_changes_nothing(lingma: Lingma, pool: tuple[str, ...]) -> None:
    pods = {pod["metadata"]["uid"] for pod in lingma.kube.list("pods")}
    revision = lingma.release.revision()
    assert lingma.release.install() is False
    assert lingma.release.revision() == revision
    assert {pod["metadata"]["uid"] for pod in lingma.kube.list("pods")} == pods


def test_the_definition_stays_when_its_release_goes(lingma: Lingma) -> None:
    found = lingma.kube.get("customresourcedefinition", "lingmaaccounts.lingma.dev")
    assert found is not None
    assert found["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


@pytest.mark.parametrize("component", ["operator", "router"])
def test_the_programs_see_only_what_they_need(lingma: Lingma, component: str) -> None:
    who = f"system:serviceaccount:{lingma.kube.namespace}:lingma-{component}"
    granted = lingma.kube.run("auth", "can-i", "--list", f"--as={who}")
    assert "lingmaaccounts.lingma.dev" in granted
    assert ("secrets" in granted) == (component == "operator")
    assert "pods/exec" not in granted
