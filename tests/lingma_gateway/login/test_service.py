"""The container `login`: a visit when the gateway asks, of the hosts that are named, one at a time."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from lingma_gateway.errors import UpstreamLost
from lingma_gateway.login import service as services
from lingma_gateway.login import visits
from lingma_gateway.login.browser import Browser, Errand
from lingma_gateway.login.container import STARTING, UNREACHABLE, LoginContainer
from lingma_gateway.login.credentials import Credentials
from lingma_gateway.login.marks import Marks, kept_salt
from lingma_gateway.login.plan import Failed, HumanKind, HumanNeeded, LoggedIn, Outcome, Rejected
from lingma_gateway.login.service import LoginService
from lingma_gateway.login.state import is_logged_in
from lingma_gateway.settings import Settings
from tests.lingma_gateway.login.support import ScriptedBrowser, serving
from tests.lingma_sim.support import chosen, talking
from tests.support.loginpage import PASSWORD, USERNAME, login_page

PERSON = Credentials(username=USERNAME, password=PASSWORD)
URL = "https://devops.aliyun.com/lingma/login?nonce=s-nonce"
HOSTS = ("aliyun.com", "127.0.0.1")


def scripted(
    browser: Browser, credentials: Credentials = PERSON, salt: bytes = b"s" * 16, hosts: tuple[str, ...] = HOSTS
) -> LoginService:
    return LoginService(browser, lambda: credentials, hosts, Marks(salt))


def errand(lingma: Any) -> Errand:
    """The gateway's, which knows neither user name nor password."""

    async def address() -> str:
        return str((await lingma.request("login/generateUrl", {}))["loginUrl"])

    async def logged_in() -> bool:
        return is_logged_in(await lingma.request("auth/status", {}))

    return Errand("", "", address, logged_in)


class Wire:
    """Lingma by the simulator's own client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def request(self, method: str, params: dict[str, Any]) -> Any:
        await self._client.send({"id": "q", "method": method, "params": params})
        while True:  # pushes may come before the reply
            message = await self._client.next()
            if message.get("id") == "q" and "method" not in message:
                return message["result"]


class Parrot:
    """An errand's Lingma that gives one URL and is logged in or not."""

    def __init__(self, url: str = URL, logged_in: bool = False) -> None:
        self.url, self.status, self.broken = url, 2 if logged_in else 1, False

    async def request(self, method: str, _: dict[str, Any]) -> Any:
        if self.broken:
            raise UpstreamLost("gone")
        return {"loginUrl": self.url} if method == "login/generateUrl" else {"status": self.status}


@asynccontextmanager
async def real(chromium: Path, tmp_path: Path, password: str = PASSWORD, **changes: Any) -> AsyncIterator[int]:
    """The program's own service, with files of a Secret and Chromium; gives its port."""
    (tmp_path / "username").write_text(USERNAME)
    (tmp_path / "password").write_text(password)
    settings = Settings(
        lingma_username_file=tmp_path / "username",
        lingma_password_file=tmp_path / "password",
        login_browser_path=chromium,
        **{"login_form_hosts": "127.0.0.1,localhost", "auto_login_timeout": 12.0, **changes},
    )
    async with serving(services.service(settings, tmp_path / "salt").app()) as port:
        yield port


async def test_the_simulators_page_is_passed_by_the_browser_of_the_container(chromium: Path, tmp_path: Path) -> None:
    async with talking(tmp_path / "work", "") as (_, client), real(chromium, tmp_path) as port:
        outcome = await LoginContainer(port, 12.0).log_in(errand(Wire(client)))
        assert outcome == LoggedIn()


async def test_a_slider_of_the_simulator_is_for_a_person(chromium: Path, tmp_path: Path) -> None:
    faults = chosen("login-page=captcha")
    async with talking(tmp_path / "work", "", faults=faults) as (_, client), real(chromium, tmp_path) as port:
        outcome = await LoginContainer(port, 12.0).log_in(errand(Wire(client)))
        assert isinstance(outcome, HumanNeeded)
        assert (outcome.kind, outcome.url_age_s < 12) == (HumanKind.SLIDER, True)


async def test_a_wrong_password_is_told_and_typed_once(
    chromium: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with login_page() as page, real(chromium, tmp_path, password="s-wrong") as port:
        outcome = await LoginContainer(port, 12.0).log_in(errand(page))
        assert outcome == Rejected("the login page says that they are wrong", certain=True)
        assert page.submitted == [(USERNAME, "s-wrong")]
    assert not [text for text in ("s-wrong", USERNAME, "nonce=") if text in caplog.text]


async def test_a_visit_ends_when_the_gateway_hangs_up_and_the_next_one_is_served(
    chromium: Path, tmp_path: Path
) -> None:
    async with login_page() as page, real(chromium, tmp_path) as port:
        page.deaf = True
        leaving = asyncio.create_task(LoginContainer(port, 12.0).log_in(errand(page)))
        async with asyncio.timeout(20):
            await page.reached.wait()
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        page.deaf = False
        async with asyncio.timeout(30):
            while True:
                outcome = await LoginContainer(port, 12.0).log_in(errand(page))
                if outcome != Failed(services.BUSY):  # Chromium takes a moment to end
                    break
                await asyncio.sleep(0.05)
        assert outcome == LoggedIn()


REFUSED_URLS = [
    "https://evil.example/login",
    "https://aliyun.com.evil.example/",
    "http://devops.aliyun.com/login",
    "file:///etc/passwd",
    "chrome://settings",
    "https://aliyun.com@evil.example/",
    "http://localhost:8318/metrics",
]


@pytest.mark.parametrize("url", REFUSED_URLS)
async def test_pages_of_other_hosts_are_not_opened(url: str) -> None:
    browser = ScriptedBrowser()
    async with serving(scripted(browser).app()) as port:
        assert await LoginContainer(port, 1.0).log_in(errand(Parrot(url))) == Failed(services.FOREIGN_HOST)
    assert browser.errands == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"url": 3}', b'{"url": "https://[x"}', b"\xff"])
async def test_what_is_no_visit_is_a_bad_request(body: bytes) -> None:
    async with serving(scripted(ScriptedBrowser()).app()) as port, httpx.AsyncClient() as http:
        answer = await http.post(f"http://127.0.0.1:{port}{visits.VISITS}", content=body)
        assert answer.status_code == 400


@pytest.mark.parametrize("headers", [{"Origin": "http://127.0.0.1"}, {"Host": "rebound.example"}])
async def test_a_page_in_a_browser_cannot_ask(headers: dict[str, str]) -> None:
    browser = ScriptedBrowser()
    async with serving(scripted(browser).app()) as port, httpx.AsyncClient(headers=headers) as http:
        assert (await http.get(f"http://127.0.0.1:{port}{visits.CREDENTIAL}")).status_code == 403
        asked = await http.post(f"http://127.0.0.1:{port}{visits.VISITS}", json={"url": URL})
        assert asked.status_code == 403
    assert browser.errands == []


async def test_one_visit_at_a_time() -> None:
    browser = ScriptedBrowser(Failed("no matter"))
    browser.hold = asyncio.Event()
    async with serving(scripted(browser).app()) as port:
        container = LoginContainer(port, 30.0)
        first = asyncio.create_task(container.log_in(errand(Parrot())))
        async with asyncio.timeout(5):
            await browser.began.wait()
        assert await container.log_in(errand(Parrot())) == Failed(services.BUSY)
        browser.hold.set()
        assert await first == Failed("no matter")
    assert len(browser.errands) == 1


async def test_the_browser_gets_the_user_name_and_password_and_the_gateway_a_mark() -> None:
    browser = ScriptedBrowser(Failed("no matter"))
    async with serving(scripted(browser).app()) as port:
        container = LoginContainer(port, 5.0)
        found = await asyncio.to_thread(container.credentials)
        await container.log_in(errand(Parrot()))
    assert (found.username, found.password, found.missing, len(found.elsewhere)) == ("", "", "", 32)
    assert PASSWORD not in found.elsewhere
    (seen,) = browser.errands
    assert (seen.username, seen.password) == (USERNAME, PASSWORD)


@pytest.mark.parametrize("held", [Credentials(), Credentials(username="u"), Credentials(password="p")])
async def test_without_user_name_or_password_it_says_so_and_opens_nothing(held: Credentials) -> None:
    browser = ScriptedBrowser()
    async with serving(scripted(browser, held).app()) as port:
        container = LoginContainer(port, 5.0)
        assert await asyncio.to_thread(container.credentials) == Credentials(missing=services.NO_CREDENTIAL)
        assert await container.log_in(errand(Parrot())) == Failed(services.NO_CREDENTIAL)
    assert browser.errands == []


async def test_what_lingma_says_goes_over_what_the_container_says() -> None:
    for said, logged_in, expected in (
        (Failed("the service sent the browser back to Lingma, which did not log in"), True, LoggedIn()),
        (LoggedIn(), False, Failed("the visit ended, and Lingma is not logged in")),
    ):
        async with serving(scripted(ScriptedBrowser(said)).app()) as port:
            assert await LoginContainer(port, 5.0).log_in(errand(Parrot(logged_in=logged_in))) == expected


async def test_a_browser_that_breaks_is_an_outcome_and_its_words_stay_out_of_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    browser = ScriptedBrowser()
    browser.broken = RuntimeError(f"no page at {URL}")
    async with serving(scripted(browser).app()) as port:
        outcome = await LoginContainer(port, 5.0).log_in(errand(Parrot()))
    assert outcome == Failed("the browser failed: see the log of the container `login`")
    assert "visit_broken" in caplog.text and "s-nonce" not in caplog.text


async def test_a_lost_lingma_ends_the_visit() -> None:
    browser = ScriptedBrowser()
    browser.hold = asyncio.Event()
    lingma = Parrot()
    async with serving(scripted(browser).app()) as port:
        visit = asyncio.create_task(LoginContainer(port, 30.0).log_in(errand(lingma)))
        async with asyncio.timeout(5):
            await browser.began.wait()
        lingma.broken = True
        with pytest.raises(UpstreamLost):
            await visit


async def test_a_container_that_is_not_there_is_awaited_for_a_while_and_then_told(
    unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = LoginContainer(unused_port, 1.0)
    assert await asyncio.to_thread(container.credentials) == Credentials(missing=STARTING, awaited=True)
    async with serving(scripted(ScriptedBrowser()).app(), unused_port):
        assert (await asyncio.to_thread(container.credentials)).elsewhere
    assert await asyncio.to_thread(container.credentials) == Credentials(missing=STARTING, awaited=True)
    monkeypatch.setattr("lingma_gateway.login.container._PATIENCE_S", 0.0)
    assert await asyncio.to_thread(container.credentials) == Credentials(missing=UNREACHABLE)
    assert await container.log_in(errand(Parrot())) == Failed(UNREACHABLE)


async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    writer.close()


async def hanging_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


STRANGE: dict[str, tuple[Any, Outcome]] = {
    "it restarts in the middle": (hanging_up, Failed("the container `login` went away during the visit")),
    "it is something else": (answering, Failed("the container `login` gave an answer that is not understood")),
}


@pytest.mark.parametrize(("handler", "expected"), STRANGE.values(), ids=STRANGE.keys())
async def test_a_container_that_fails_is_an_outcome(handler: Any, expected: Outcome) -> None:
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await LoginContainer(port, 5.0).log_in(errand(Parrot())) == expected
        assert (await asyncio.to_thread(LoginContainer(port, 5.0).credentials)).missing == STARTING


async def test_a_stuck_container_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lingma_gateway.login.container._MARGIN_S", 0.1)
    browser = ScriptedBrowser()
    browser.hold = asyncio.Event()
    async with serving(scripted(browser).app()) as port:
        outcome = await LoginContainer(port, 0.1).log_in(errand(Parrot()))
    assert outcome == Failed("the container `login` did not end the visit in time")


def test_a_restarted_container_gives_the_same_mark_and_another_password_another(tmp_path: Path) -> None:
    def mark(password: str) -> str:
        return Marks(kept_salt(tmp_path / "salt")).of((USERNAME, password))

    assert mark("one") == mark("one") != mark("two")
    assert (tmp_path / "salt").stat().st_mode & 0o777 == 0o600


@asynccontextmanager
async def program(**environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    kept = {"PATH": os.environ["PATH"]}
    command = [sys.executable, "-c", "from lingma_gateway.login.service import main; main()"]
    process = await asyncio.create_subprocess_exec(
        *command, env={**kept, **environment}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def first_answer(http: httpx.AsyncClient, url: str) -> httpx.Response:
    """Of a program that is starting."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await http.get(url)
            except httpx.ConnectError:
                await asyncio.sleep(0.05)


async def test_the_program_serves_on_loopback_until_it_is_told_to_end(tmp_path: Path, unused_port: int) -> None:
    settings = {"LOGIN_BROWSER_PORT": str(unused_port), "TMPDIR": str(tmp_path)}
    async with program(**settings) as process, httpx.AsyncClient() as http:
        answer = await first_answer(http, f"http://127.0.0.1:{unused_port}{visits.CREDENTIAL}")
        assert json.loads(answer.text) == {"missing": services.NO_CREDENTIAL}
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            assert await process.wait() == 0


async def test_a_driver_that_does_not_start_is_told(chromium: Path, tmp_path: Path, unused_port: int) -> None:
    # As in an image that lacks a library of Playwright's own Node.js.
    (tmp_path / "node").write_text("#!/bin/sh\nexit 127\n")
    (tmp_path / "node").chmod(0o755)
    settings = {
        "LOGIN_BROWSER_PORT": str(unused_port),
        "TMPDIR": str(tmp_path),
        "LINGMA_USERNAME": USERNAME,
        "LINGMA_PASSWORD": PASSWORD,
        "LOGIN_BROWSER_PATH": str(chromium),
        "PLAYWRIGHT_NODEJS_PATH": str(tmp_path / "node"),
    }
    async with program(**settings), httpx.AsyncClient() as http:
        await first_answer(http, f"http://127.0.0.1:{unused_port}{visits.CREDENTIAL}")
        outcome = await LoginContainer(unused_port, 5.0).log_in(errand(Parrot()))
    assert outcome == Failed("the driver of the browser does not start: see the log")


@pytest.mark.parametrize(
    ("environment", "said"),
    [({}, b"LOGIN_BROWSER_PORT is not set"), ({"AUTO_LOGIN_TIMEOUT": "soon"}, b"AUTO_LOGIN_TIMEOUT: ")],
)
async def test_the_program_says_which_setting_it_lacks(environment: dict[str, str], said: bytes) -> None:
    async with program(**environment) as process:
        _, stderr = await process.communicate()
    assert process.returncode == 1
    assert stderr.startswith(said)


async def test_the_program_needs_neither_the_gateways_server_nor_its_framework() -> None:
    banned = {"fastapi", "starlette", "uvicorn", "kubernetes", "uvloop", "orjson", "websockets", "cryptography"}
    code = f"import sys, lingma_gateway.login.service; print({banned!r} & set(sys.modules) or 'none')"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    stdout, _ = await process.communicate()
    assert stdout.strip() == b"none"
