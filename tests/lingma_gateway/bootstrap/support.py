"""Plugin archives, as small as can be."""

import hashlib
import io
import stat
import zipfile
from collections.abc import Mapping

VERSION = "2.11.2"
NESTED = f"extension/dist/bin/lingma-{VERSION}.zip"
LINGMA = b"#!/bin/sh\necho lingma\n"
HELPER = b"#!/bin/sh\necho local\n"

FILES: dict[str, bytes] = {
    f"{VERSION}/x86_64_linux/": b"",
    f"{VERSION}/x86_64_linux/Lingma": LINGMA,
    f"{VERSION}/x86_64_linux/LingmaLocal": HELPER,
    f"{VERSION}/x86_64_linux/lib/extra.txt": b"extra",
    f"{VERSION}/aarch64_linux/Lingma": b"arm",
    f"{VERSION}/aarch64_linux/LingmaLocal": b"arm local",
    f"{VERSION}/x86_64_windows/Lingma.exe": b"win",
    f"{VERSION}/README": b"read me",
}


def archive(files: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> bytes:
    """A zip; `links` are symbolic links in it."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
        for name, target in (links or {}).items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            packed.writestr(info, target)
    return raw.getvalue()


def vsix(files: Mapping[str, bytes] = FILES, nested: str = NESTED, links: Mapping[str, str] | None = None) -> bytes:
    """A plugin with `files` in its nested zip."""
    return archive({"extension.vsixmanifest": b"<xml/>", nested: archive(files, links)})


def sum_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
