"""One cluster and one release for the whole run. A failed test is reported with the state of the cluster."""

import hashlib
import os
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from demo.kube import Kube
from demo.release import ROOT, Release, namespace, simulated
from tests.cluster import access, engines, images
from tests.cluster.report import Report
from tests.e2e.support import ACCOUNT_PODS, Evidence, Lingma

NAMESPACE = "lingma-e2e"
PEOPLE = ("alice", "bob")
SERVICE, PORT = "lingma", 80
CLIENT = (Path("tests/e2e/Dockerfile"), Path("requirements/e2e-client.txt"))


@pytest.fixture(scope="session")
def cluster() -> access.Cluster:
    """The user's context, else our own cluster. Without either: a failure in CI, a skip that says why elsewhere."""
    try:
        return access.obtain(os.environ.get("KUBE_CONTEXT") or None)
    except access.ClusterUnavailable as error:
        if os.environ.get("CI"):
            pytest.fail(f"CI must run these tests, and there is no cluster: {error}", pytrace=False)
        pytest.skip(f"no cluster: {error}")


@pytest.fixture(scope="session")
def image_references(cluster: access.Cluster) -> list[str]:
    """The project's images, built and known to the node."""
    references = images.build()
    for reference in references:
        cluster.load(reference)
    return references


@pytest.fixture(scope="session")
def client_image(cluster: access.Cluster) -> str:
    """An image with the official SDK, named by what it is made from."""
    digest = hashlib.sha256(b"".join((ROOT / path).read_bytes() for path in CLIENT)).hexdigest()
    reference = f"localhost/lingma-e2e-client:dev-{digest[:12]}"
    engine = engines.choose()
    if engine.image(reference) is None:
        engine.build(ROOT / CLIENT[0], reference, {}, Report())
    cluster.load(reference)
    return reference


@pytest.fixture(scope="session")
def lingma(cluster: access.Cluster, image_references: list[str]) -> Iterator[Lingma]:
    """The chart, installed by Helm into a namespace whose pods must be restricted; removed at the end."""
    kube = Kube(cluster, NAMESPACE)
    kube.run("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=3m")  # of a run that was killed
    kube.apply(namespace(NAMESPACE))
    release = Release(kube, simulated(image_references, router={"drainSeconds": 5, "logLevel": "debug"}))
    evidence = Evidence()
    installed = Lingma(kube, release, "", "", evidence)
    try:
        release.install()
        release.ready()
        with kube.service(SERVICE, PORT) as url:
            yield replace(installed, url=url, api_key=release.api_key())
    except Exception as error:
        error.add_note(state(installed))
        raise
    finally:
        kube.run("delete", "lingmaaccounts", "--all", "--timeout=60s")
        release.remove()
        kube.run("delete", "namespace", NAMESPACE, "--timeout=3m")


@pytest.fixture(scope="session")
def pool(lingma: Lingma) -> Iterator[tuple[str, ...]]:
    """Two accounts that stay ready for the whole run."""
    with lingma.account(PEOPLE[0], uid=PEOPLE[0]), lingma.account(PEOPLE[1], uid=PEOPLE[1]):
        for name in PEOPLE:
            lingma.account_ready(name)
        yield PEOPLE


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    installed = getattr(item, "funcargs", {}).get("lingma")
    if report.failed and isinstance(installed, Lingma):
        report.sections.append(("state of the cluster", state(installed)))
    return report


def state(lingma: Lingma) -> str:
    """What explains a failure: objects, Events and the ends of the logs."""
    kube = lingma.kube
    asked = (
        ("get", "lingmaaccounts,pods,statefulsets,deployments,services,endpointslices", "-o", "wide"),
        ("get", "lingmaaccounts", "-o", "yaml"),
        ("get", "events", "--sort-by=.lastTimestamp"),
        ("logs", "-l", "app.kubernetes.io/component=operator", "--tail=60", "--prefix"),
        ("logs", "-l", "app.kubernetes.io/component=router", "--tail=60", "--prefix"),
        ("logs", "-l", ACCOUNT_PODS, "--all-containers", "--tail=40", "--prefix"),
    )
    return "\n".join(f"$ kubectl {' '.join(arguments)}\n{kube.attempt(*arguments)}" for arguments in asked)
