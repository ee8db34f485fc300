"""The plugin archive as an open file, from disk or by HTTPS, once its SHA-256 is known to be the expected one.

By HTTP only from this machine or from a Service of the cluster: such names lead nowhere else.
"""

import gzip
import hashlib
import ipaddress
import tempfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, BinaryIO
from urllib.parse import SplitResult, urlsplit

from lingma_gateway.bootstrap.errors import BootstrapError

MAX_ARCHIVE_BYTES = 2 * 2**30
"""A VSIX with the binaries of five platforms is a few hundred megabytes."""
_CHUNK_BYTES = 2**20
_SILENCE_S = 60.0
"""Longest wait for the next bytes of a download."""

Progress = Callable[[int, int | None], None]
"""Takes bytes so far, and bytes in all where that is known."""


@contextmanager
def opened(source: str, sha256: str, progress: Progress) -> Iterator[BinaryIO]:
    """The archive, whose sum is `sha256` (lower case).

    A download goes to a file without a name in the folder for temporary files: nothing of it is left behind.

    Raises:
        BootstrapError: it cannot be had, or its sum is another.
    """
    if "://" in source:
        with tempfile.TemporaryFile() as download:
            _check(_download(source, download, progress), sha256)
            yield download
        return
    path = Path(source).expanduser()
    try:
        file = path.open("rb")
    except OSError as error:
        raise BootstrapError(f"{path} cannot be read: {error.strerror}") from error
    with file:
        _check(_copied(file, None, progress, None), sha256)
        yield file


def _check(actual: str, expected: str) -> None:
    if actual != expected:
        raise BootstrapError(f"the archive's SHA-256 is {actual}, not {expected}: nothing was installed")


def refusal(url: str) -> str | None:
    """Why `url` may not be fetched, or None. Pure."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises for what is no port
    except ValueError:
        return "the address is no URL"
    if not parts.hostname:
        return "the address names no host"
    if parts.username is not None or parts.password is not None:
        return "the address holds a user name or password, which would show in the list of processes"
    if parts.scheme == "https" or (parts.scheme == "http" and (_is_loopback(parts) or _is_service(parts))):
        return None
    return f"{parts.scheme}://{parts.hostname} is not https"


def _is_loopback(parts: SplitResult) -> bool:
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def _is_service(parts: SplitResult) -> bool:
    """A Service of the cluster, by its DNS name."""
    return (parts.hostname or "").endswith((".svc", ".svc.cluster.local"))


def shown(url: str) -> str:
    """`url` without its query, which may hold a signature. Pure."""
    return url.partition("?")[0].partition("#")[0]


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    max_redirections = 5

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        refused = refusal(newurl)
        if refused is None and urlsplit(req.full_url).scheme == "https" and urlsplit(newurl).scheme != "https":
            refused = "it goes from https to http"
        if refused is not None:
            fp.close()
            raise BootstrapError(f"the redirect of {shown(req.full_url)} is not followed: {refused}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _download(url: str, file: BinaryIO, progress: Progress) -> str:
    refused = refusal(url)
    if refused is not None:
        raise BootstrapError(f"{shown(url)} is not fetched: {refused}")
    request = urllib.request.Request(url, headers={"User-Agent": "lingma-gateway"})
    # A proxy of the environment is for what is not on this machine.
    proxies = urllib.request.ProxyHandler({} if urlsplit(url).scheme == "http" else None)
    try:
        with urllib.request.build_opener(proxies, _CheckedRedirects()).open(request, timeout=_SILENCE_S) as response:
            if response.headers.get("Content-Encoding") == "gzip":
                # Extension galleries do that without being asked; the sum that people know is of what is inside.
                with gzip.GzipFile(fileobj=response) as inflated:
                    return _copied(inflated, file, progress, None)
            length = response.headers.get("Content-Length")
            return _copied(response, file, progress, int(length) if length and length.isdigit() else None)
    except urllib.error.HTTPError as error:
        error.close()
        raise BootstrapError(f"{shown(url)} answers {error.code}") from error
    except (urllib.error.URLError, HTTPException, OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "reason", None) or error
        raise BootstrapError(f"{shown(url)} cannot be fetched: {reason}") from error


def _copied(source: IO[bytes] | gzip.GzipFile, target: BinaryIO | None, progress: Progress, total: int | None) -> str:
    """The SHA-256 of what `source` gives."""
    digest = hashlib.sha256()
    size = 0
    while chunk := source.read(_CHUNK_BYTES):
        size += len(chunk)
        if size > MAX_ARCHIVE_BYTES:
            raise BootstrapError(f"the archive is larger than {MAX_ARCHIVE_BYTES} bytes")
        digest.update(chunk)
        if target is not None:
            target.write(chunk)
        progress(size, total)
    if total is not None and size != total:
        raise BootstrapError(f"the download ended after {size} of {total} bytes")
    return digest.hexdigest()
