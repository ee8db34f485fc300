import gzip
import io
import socket
import threading
import urllib.request
from collections.abc import Iterator
from http.client import HTTPMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lingma_gateway.bootstrap import source
from lingma_gateway.bootstrap.errors import BootstrapError
from tests.lingma_gateway.bootstrap.support import sum_of

BODY = b"plugin" * 1000


class _Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", f"{self.path[4:]}" if "://" in self.path else "/plugin")
            self.end_headers()
            return
        if path == "/loop":
            self.send_response(302)
            self.send_header("Location", f"/loop?{len(self.path)}")
            self.end_headers()
            return
        self._answer(path)

    def _answer(self, path: str) -> None:
        body = {"/packed": gzip.compress(BODY), "/broken": gzip.compress(BODY)[:-20]}.get(path, BODY)
        self.send_response(200 if path in ("/plugin", "/packed", "/broken", "/short") else 404)
        if path in ("/packed", "/broken"):
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body) + (7 if path == "/short" else 0)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Site) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def fetched(url: str, sha256: str = sum_of(BODY)) -> tuple[bytes, list[tuple[int, int | None]]]:
    seen: list[tuple[int, int | None]] = []
    with source.opened(url, sha256, lambda size, total: seen.append((size, total))) as file:
        file.seek(0)
        return file.read(), seen


def test_a_download_is_checked_and_its_progress_told(site: str) -> None:
    assert fetched(f"{site}/plugin") == (BODY, [(len(BODY), len(BODY))])


def test_a_redirect_is_followed(site: str) -> None:
    assert fetched(f"{site}/to/plugin")[0] == BODY


def test_what_the_site_packed_on_its_way_is_unpacked(site: str) -> None:
    assert fetched(f"{site}/packed") == (BODY, [(len(BODY), None)])


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/gone?sig=abc", "/gone answers 404"),
        ("/loop", "/loop answers 302"),
        ("/broken", "/broken cannot be fetched"),
        ("/short", "ended after 6000 of 6007 bytes"),
        ("/to/ftp://127.0.0.1/x", "is not followed: ftp://127.0.0.1 is not https"),
        ("/to/http://plugins.example/x", "http://plugins.example is not https"),
        ("/to/file:///etc/passwd", "answers 302"),
    ],
)
def test_a_download_that_fails_says_why_and_shows_no_query(site: str, path: str, reason: str) -> None:
    with pytest.raises(BootstrapError, match=reason) as failure:
        fetched(site + path)
    assert "sig=" not in str(failure.value)


def test_a_download_with_another_sum_is_refused(site: str) -> None:
    with pytest.raises(BootstrapError, match="SHA-256 is"):
        fetched(f"{site}/plugin", "0" * 64)


def test_a_site_that_does_not_answer_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(BootstrapError, match=f"http://127.0.0.1:{port}/x cannot be fetched"):
        fetched(f"http://127.0.0.1:{port}/x")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://plugins.example/x.vsix?sig=1", None),
        ("http://127.0.0.1:8000/x", None),
        ("http://[::1]/x", None),
        ("http://mirror.team.svc/x", None),
        ("http://mirror.team.svc.cluster.local:8080/x", None),
        ("http://mirror.svc.example/x", "not https"),
        ("http://plugins.example/x", "not https"),
        ("http://localhost/x", "not https"),
        ("ftp://plugins.example/x", "not https"),
        ("file:///etc/passwd", "no host"),
        ("https://user:secret@plugins.example/x", "user name or password"),
        ("https://[::1/x", "no URL"),
        ("https://plugins.example:port/x", "no URL"),
    ],
)
def test_only_https_is_fetched_from(url: str, reason: str | None) -> None:
    refused = source.refusal(url)
    assert (refused is None) == (reason is None)
    assert reason is None or reason in (refused or "")


def test_https_never_becomes_http() -> None:
    request = urllib.request.Request("https://plugins.example/x")
    answer = io.BytesIO()
    with pytest.raises(BootstrapError, match="from https to http"):
        source._CheckedRedirects().redirect_request(request, answer, 302, "", HTTPMessage(), "http://127.0.0.1/x")
    assert answer.closed


def test_a_refused_address_is_not_fetched() -> None:
    with pytest.raises(BootstrapError, match="^ftp://plugins.example/x is not fetched"):
        fetched("ftp://plugins.example/x?y")


def test_a_file_is_read_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "x.vsix").write_bytes(BODY)
    assert fetched(str(tmp_path / "x.vsix"))[0] == BODY
    with pytest.raises(BootstrapError, match=r"y.vsix cannot be read: No such file"):
        fetched(str(tmp_path / "y.vsix"))


def test_an_archive_that_is_too_large_is_given_up(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_ARCHIVE_BYTES", 100)
    with pytest.raises(BootstrapError, match="larger than 100 bytes"):
        fetched(f"{site}/plugin")
