"""The session bundle: a gzipped tar of the files that hold a Lingma login, and nothing else.

`cache/user` is encrypted with `cache/id` as its key and works wherever both are copied together (protocol page,
section 2: high confidence), so the pair is a credential. Bytes in, bytes out: no file is touched here.
"""

import base64
import binascii
import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

REQUIRED = ("id", "user")
OPTIONAL = ("quota", "config.json", "machine_token.json")
MEMBERS = REQUIRED + OPTIONAL
"""Names inside Lingma's `cache` folder."""

MAX_MEMBER_BYTES = 256 * 1024
"""The largest file seen is under 8 KiB."""
MAX_ARCHIVE_BYTES = 2 * 1024 * 1024
"""Uncompressed. A Secret holds 1 MiB at most."""


class BundleError(ValueError):
    """The bundle is not one; the message says why, in words for the person who made it."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """The files of a bundle by their name inside `cache`. Shows no content when printed."""

    files: Mapping[str, bytes]

    def __repr__(self) -> str:
        return f"Bundle({', '.join(sorted(self.files))})"

    @property
    def digest(self) -> str:
        """SHA-256 over names and contents: the same login gives the same digest however it was packed."""
        digest = hashlib.sha256()
        for name in sorted(self.files):
            digest.update(f"{name}\0{len(self.files[name])}\0".encode())
            digest.update(self.files[name])
        return digest.hexdigest()


def pack(bundle: Bundle) -> bytes:
    """The bundle as tar.gz; equal bundles give equal bytes."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in MEMBERS:
            if name in bundle.files:
                member = tarfile.TarInfo(f"cache/{name}")
                member.size = len(bundle.files[name])
                member.mode = 0o600
                archive.addfile(member, io.BytesIO(bundle.files[name]))
    return gzip.compress(raw.getvalue(), mtime=0)


def encode(bundle: Bundle) -> str:
    """The bundle as base64 text, the form of an environment variable or a file."""
    return base64.b64encode(pack(bundle)).decode()


def unpack(data: bytes) -> Bundle:
    """The bundle in `data`, which is tar.gz or base64 of it.

    Raises:
        BundleError: it is neither, or holds anything but the known files, once each, as plain files of sane size.
    """
    if not data.strip():
        raise BundleError("the session bundle is empty")
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(_inflate(data)), mode="r:") as archive:
            for member in archive:
                name = _checked_name(member, files)
                content = archive.extractfile(member)
                files[name] = content.read() if content is not None else b""
    except BundleError:
        raise
    except (tarfile.TarError, ValueError) as error:
        # Broken extended headers surface as plain ValueErrors of tarfile.
        raise BundleError("the session bundle is no tar archive inside its gzip") from error
    for name in REQUIRED:
        if not files.get(name):
            raise BundleError(f"the session bundle has no cache/{name}: pack it from a Lingma that is logged in")
    return Bundle(files)


def _inflate(data: bytes) -> bytes:
    packed = data if data[:2] == b"\x1f\x8b" else _from_base64(data)
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        raw = inflater.decompress(packed, MAX_ARCHIVE_BYTES + 1)
    except zlib.error as error:
        raise BundleError("the session bundle is neither tar.gz nor base64 of it") from error
    if len(raw) > MAX_ARCHIVE_BYTES:
        raise BundleError(f"the session bundle is larger than {MAX_ARCHIVE_BYTES} bytes when unpacked")
    if not inflater.eof:
        raise BundleError("the session bundle is cut short")
    return raw


def _from_base64(data: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(data.split()), validate=True)
    except binascii.Error as error:
        raise BundleError("the session bundle is neither tar.gz nor base64 of it") from error


def _checked_name(member: tarfile.TarInfo, seen: Mapping[str, bytes]) -> str:
    """The name inside `cache` of a member that may be restored."""
    # The earlier gateway's bundles may hold the names without their folder.
    name = member.name.removeprefix("./").removeprefix("cache/")
    if name not in MEMBERS:
        raise BundleError(f"the session bundle holds {member.name!r}, which is no file of a login")
    if not member.isreg():
        raise BundleError(f"the session bundle's {member.name!r} is no plain file")
    if name in seen:
        raise BundleError(f"the session bundle holds {member.name!r} twice")
    if member.size > MAX_MEMBER_BYTES:
        raise BundleError(f"the session bundle's {member.name!r} is larger than {MAX_MEMBER_BYTES} bytes")
    return name
