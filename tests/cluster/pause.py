"""The image that holds a pod's namespaces: one static program, packed here, since no registry is asked."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile

from tests.cluster import imagestore
from tests.cluster.binaries import Binaries
from tests.cluster.configuration import PAUSE_IMAGE
from tests.cluster.layout import Layout

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def archive(program: bytes) -> bytes:
    """In the form of `docker save`."""
    layer = _tar({"pause": program}, mode=0o755)
    machine = platform.machine()
    config = json.dumps(
        {
            "architecture": ARCHITECTURES.get(machine, machine),
            "os": "linux",
            "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
    ).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [PAUSE_IMAGE], "Layers": ["layer.tar"]}]).encode()
    return _tar({"config.json": config, "layer.tar": layer, "manifest.json": manifest}, mode=0o644)


def load(layout: Layout, binaries: Binaries) -> None:
    """When it is not there yet."""
    store = imagestore.ImageStore(layout, binaries)
    image_id = hashlib.sha256(binaries.path("pause").read_bytes()).hexdigest()
    if store.holds(PAUSE_IMAGE, image_id):
        return
    file = layout.root / "pause.tar"
    file.write_bytes(archive(binaries.path("pause").read_bytes()))
    store.load(file, PAUSE_IMAGE, image_id)
    file.unlink()


def _tar(contents: dict[str, bytes], mode: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = mode
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
