"""The images that containerd holds for Kubernetes, and which of this machine's they are."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path

from tests.cluster import engines
from tests.cluster.binaries import Binaries
from tests.cluster.commands import Failure, run
from tests.cluster.components import environment
from tests.cluster.layout import Layout
from tests.cluster.report import Report

NAMESPACE = "k8s.io"  # where the kubelet looks


class LoadFailed(Failure):
    """Says which image and why."""


class ImageStore:
    def __init__(self, layout: Layout, binaries: Binaries) -> None:
        self._layout = layout
        self._binaries = binaries

    def holds(self, name: str, image_id: str) -> bool:
        """Whether that very image is there under that name, by our own record and by containerd's word."""
        record = self._record(name)
        if not record.exists() or record.read_text() != image_id:
            return False
        return name in self._ctr("images", "list", "--quiet").split()

    def load(self, archive: Path, name: str, image_id: str) -> None:
        self._ctr("images", "import", "--digests=false", str(archive))
        if name not in self._ctr("images", "list", "--quiet").split():
            raise LoadFailed(f"{archive} was imported, yet containerd has no image {name}")
        self._layout.images.mkdir(parents=True, exist_ok=True)
        self._record(name).write_text(image_id)

    def _record(self, name: str) -> Path:
        return self._layout.images / hashlib.sha256(name.encode()).hexdigest()[:32]

    def _ctr(self, *arguments: str) -> str:
        socket = self._layout.containerd_socket
        command = [str(self._binaries.path("ctr")), "--address", str(socket), "--namespace", NAMESPACE, *arguments]
        return run(command, LoadFailed, env=environment(self._layout, self._binaries))


def load(image: str, layout: Layout, binaries: Binaries, report: Report) -> None:
    """An image by its name where docker or buildah keeps it, or a tar file as `docker save` writes it."""
    store = ImageStore(layout, binaries)
    path, engine = Path(image), engines.choose()
    if path.is_file():
        name, image_id = _archived(path)
    else:
        kept = engine.image(image)
        if kept is None:
            raise LoadFailed(f"{image} is no file, and {engine.name} has no image of that name")
        name, image_id = image, kept.id
    if store.holds(name, image_id):
        report.line(f"{name}: already loaded")
        return
    with report.step(f"loading {name}"):
        if path.is_file():
            store.load(path, name, image_id)
            return
        file = layout.root / f"load-{image_id[:12]}.tar"
        try:
            engine.save(name, file)
            store.load(file, name, image_id)
        finally:
            file.unlink(missing_ok=True)


def _archived(path: Path) -> tuple[str, str]:
    try:
        with tarfile.open(path) as tar:
            member = tar.extractfile("manifest.json")
            if member is None:
                raise KeyError("manifest.json")
            (entry,) = json.loads(member.read())
    except (KeyError, ValueError, tarfile.TarError) as error:
        raise LoadFailed(f"{path} is not the archive of one image: {error}") from error
    tags = entry.get("RepoTags") or []
    if not tags:
        raise LoadFailed(f"{path} holds an image without a name")
    return str(tags[0]), str(entry["Config"])
