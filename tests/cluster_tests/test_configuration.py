import base64
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster import certificates, configuration, files
from tests.cluster.binaries import Binaries
from tests.cluster.components import components
from tests.cluster.layout import Layout, Network

LAYOUT = Layout(root=Path("/somewhere"))

words = st.text("aZ0-_./ :\"'\\\n\té", max_size=6)
keys = st.text("aZ0-_. ", min_size=1, max_size=4)
leaves = words | st.integers(-(2**62), 2**62) | st.booleans() | st.lists(words, max_size=3)
trees = st.recursive(
    st.dictionaries(keys, leaves, max_size=3),
    lambda below: st.dictionaries(keys, below | leaves, max_size=3),
    max_leaves=6,
)


def without_empty_tables(tree: dict[str, Any]) -> dict[str, Any]:
    """A table without a key of its own is not written: nothing here means something by it."""
    pruned = {key: without_empty_tables(value) if isinstance(value, dict) else value for key, value in tree.items()}
    return {key: value for key, value in pruned.items() if value != {}}


@given(trees)
def test_what_is_written_as_toml_reads_the_same(tree: dict[str, Any]) -> None:
    assert without_empty_tables(tomllib.loads(configuration.toml(tree))) == without_empty_tables(tree)


def test_containerd_is_told_what_a_machine_without_all_capabilities_needs() -> None:
    read = tomllib.loads(files.rendered(LAYOUT)["containerd.toml"])
    runtime = read["plugins"]["io.containerd.cri.v1.runtime"]
    assert runtime["restrict_oom_score_adj"] is True
    assert runtime["containerd"]["runtimes"]["runc"]["options"]["SystemdCgroup"] is False
    assert read["grpc"]["address"] == "/somewhere/containerd.sock"


def test_nothing_is_configured_outside_the_data_folder() -> None:
    """So that `down` can leave nothing behind."""
    for name in ("containerd.toml", "cni/10-pods.conflist", "kubelet.yaml", "kube-proxy.yaml"):
        text = files.rendered(LAYOUT)[name]
        paths = [word for line in text.splitlines() for word in line.replace('"', " ").split() if word.startswith("/")]
        allowed = ("/somewhere", "/usr/lib/cni", "/lingma-operator-cluster")
        assert all(path.startswith(allowed) for path in paths), name


def test_the_corefile_serves_the_cluster_and_denies_the_rest() -> None:
    assert files.rendered(LAYOUT)["Corefile"].splitlines()[0] == "cluster.local in-addr.arpa ip6.arpa {"
    assert configuration.corefile({".": {"bind": ["1.2.3.4"], "errors": [], "template": ["ANY ANY {", "x", "}"]}}) == (
        ".  {\n    bind 1.2.3.4\n    errors\n    template ANY ANY {\n        x\n        }\n}\n".replace(".  {", ". {")
    )


def test_a_kubeconfig_holds_its_certificates(tmp_path: Path) -> None:
    layout = Layout(root=tmp_path)
    files.write_all(layout)
    config = yaml.safe_load(layout.kubeconfig.read_text())
    embedded = base64.b64decode(config["users"][0]["user"]["client-key-data"])
    assert embedded == (layout.pki / "admin.key").read_bytes()
    assert config["clusters"][0]["cluster"]["server"] == f"https://{Network().node}:6443"
    assert layout.kubeconfig.stat().st_mode & 0o777 == 0o600
    assert {path.name.removesuffix(".kubeconfig") for path in layout.config.glob("*.kubeconfig")} <= {
        subject.file for subject in certificates.subjects(layout.network)
    }


def test_each_component_waits_only_for_what_is_there() -> None:
    known = {"configuration", "network", "cgroup", "pause image", "objects"}
    every = components(LAYOUT, Binaries(Path("/cache")))
    known |= {component.name for component in every}
    for component in every:
        assert set(component.after) <= known, component.name


@pytest.mark.parametrize(
    "other",
    [
        Layout(root=Path("/elsewhere")),
        Layout(root=Path("/somewhere"), network=Network(pods="10.99.0.0/16")),
    ],
    ids=["folder", "network"],
)
def test_a_cluster_made_from_something_else_has_another_fingerprint(other: Layout) -> None:
    programs = Binaries(Path("/cache"))
    assert files.fingerprint(LAYOUT, programs) == files.fingerprint(Layout(root=Path("/somewhere")), programs)
    assert files.fingerprint(LAYOUT, programs) != files.fingerprint(other, programs)
