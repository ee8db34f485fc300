"""A whole instance, over the wire: it logs in without a request, and its health says how that goes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lingma_contract.health import Health, InstanceHealth, LoginReason
from lingma_gateway import runtime
from lingma_gateway.lingma.instance import Instance, running
from lingma_gateway.login import container
from lingma_gateway.login.browser import Errand
from lingma_gateway.login.credentials import Credentials
from lingma_gateway.login.marks import Marks
from lingma_gateway.login.plan import LoggedIn, Outcome, Rejected
from lingma_gateway.login.service import LoginService
from lingma_gateway.pool import Pool, PoolSettings
from lingma_gateway.settings import Settings
from tests.lingma_gateway.login.support import ScriptedBrowser, ScriptedLingma, serving
from tests.support.loginpage import PASSWORD, USERNAME, login_page


class Watched(Pool):
    """A pool of one instance that keeps each of its health reports, as `/healthz` would have shown it."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(PoolSettings(0, 0))
        self._news: asyncio.Queue[InstanceHealth] = asyncio.Queue()
        (self.instance,) = self.instances = tuple(runtime.attached(settings, self))

    def changed(self) -> None:
        super().changed()
        self._news.put_nowait(Health.parse(self.health(draining=False).as_json()).instances[0])

    async def until(self, condition: Callable[[InstanceHealth], bool]) -> InstanceHealth:
        """The next report of which this is true."""
        async with asyncio.timeout(20):
            while not condition(health := await self._news.get()):
                pass
        return health


@asynccontextmanager
async def watched(work_dir: Path, lingma: ScriptedLingma, **settings: Any) -> AsyncIterator[Watched]:
    it = Watched(Settings(lingma_account="alice", lingma_work_dir=work_dir, lingma_ping_interval=0.2, **settings))
    async with lingma.listening(work_dir), running(it.instance):
        yield it


def is_reason(reason: LoginReason) -> Callable[[InstanceHealth], bool]:
    return lambda health: health.reason is reason


async def test_an_instance_with_a_token_becomes_ready_without_a_request_and_again_after_expiry(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    lingma = ScriptedLingma()

    def log_in(_: dict[str, Any]) -> dict[str, Any]:
        lingma.log_in()
        return {"success": True}

    lingma.answers["auth/login"] = log_in
    async with watched(tmp_path, lingma, lingma_personal_token="s-token") as it:
        await it.until(lambda health: health.ready)
        assert lingma.methods.count("auth/login") == 1
        lingma.status = {"status": 3}
        await it.until(lambda health: not health.ready)
        await it.until(lambda health: health.ready)
        assert lingma.methods.count("auth/login") == 2
        assert it.instance.login_progress.running is None
    assert "s-token" not in caplog.text


async def test_an_account_of_several_organizations_logs_in_for_the_one_that_is_set(tmp_path: Path) -> None:
    lingma = ScriptedLingma()
    asked: list[dict[str, Any]] = []

    def log_in(params: dict[str, Any]) -> dict[str, Any]:
        asked.append(params)
        lingma.log_in()
        return {"success": True}

    lingma.answers["auth/login"] = log_in
    async with watched(tmp_path, lingma, lingma_personal_token="s-token", lingma_organization_id="o2") as it:
        await it.until(lambda health: health.ready)
    assert [params["orgId"] for params in asked] == ["o2"]


async def test_a_refused_token_is_told_in_the_health_report(tmp_path: Path) -> None:
    lingma = ScriptedLingma()
    lingma.answers["auth/login"] = lambda _: {"success": False, "errorCode": "E7"}
    async with watched(tmp_path, lingma, lingma_personal_token="s-token") as it:
        health = await it.until(is_reason(LoginReason.CREDENTIALS_REJECTED))
        assert health.message == (
            "refused: the personal token (Lingma refused auth/login (E7)); provide another one, or a session bundle"
        )
        assert health.state.value == "ready"
        assert not health.logged_in


async def test_a_lost_connection_ends_the_try_that_needs_it(tmp_path: Path) -> None:
    lingma = ScriptedLingma()
    lingma.answers["auth/login"] = lambda _: {"success": True}
    async with watched(tmp_path, lingma, lingma_personal_token="s-token") as it:
        await it.until(is_reason(LoginReason.LOGIN_IN_PROGRESS))
        instance: Instance = it.instance
    assert instance.login_progress.running is None
    assert instance.health.reason is LoginReason.NOT_CONNECTED


async def test_a_slider_is_reported_as_human_verification_with_the_urls_age(
    tmp_path: Path, chromium: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "lingma_gateway")
    async with login_page(after="slider") as page:
        lingma = ScriptedLingma()
        generated = await page.request("login/generateUrl", {})
        lingma.answers["login/generateUrl"] = lambda _: generated
        settings = {
            "lingma_username": USERNAME,
            "lingma_password": PASSWORD,
            "login_browser_path": chromium,
            "login_form_hosts": "127.0.0.1",
            "auto_login_timeout": 20,
        }
        async with watched(tmp_path, lingma, **settings) as it:
            health = await it.until(is_reason(LoginReason.HUMAN_VERIFICATION_NEEDED))
    assert health.message.startswith("human verification needed: the login page shows a slider; ")
    assert health.message.endswith("(the login URL is less than a minute old)")
    assert page.submitted == [(USERNAME, PASSWORD)]
    assert PASSWORD not in caplog.text
    assert generated["loginUrl"] not in caplog.text + health.message


class Container:
    """The container `login` with a scripted browser: the gateway only has its port."""

    def __init__(self, browser: ScriptedBrowser) -> None:
        self.held = Credentials(username=USERNAME, password=PASSWORD)
        self.app = LoginService(browser, lambda: self.held, ("aliyun.com",), Marks(b"s" * 16)).app()


class Passed(ScriptedBrowser):
    """The page lets everybody in."""

    def __init__(self, lingma: ScriptedLingma) -> None:
        super().__init__()
        self.lingma = lingma

    async def log_in(self, errand: Errand) -> Outcome:
        self.errands.append(errand)
        self.lingma.log_in()
        return LoggedIn()


def lingma_with_a_page() -> ScriptedLingma:
    lingma = ScriptedLingma()
    lingma.answers["login/generateUrl"] = lambda _: {"loginUrl": "https://devops.aliyun.com/lingma/login?nonce=n"}
    return lingma


async def test_the_container_login_makes_an_instance_ready_as_soon_as_it_answers(
    tmp_path: Path, unused_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "lingma_gateway")
    lingma = lingma_with_a_page()
    browser = Passed(lingma)
    async with watched(tmp_path, lingma, login_browser_port=unused_port) as it:
        health = await it.until(is_reason(LoginReason.LOGIN_IN_PROGRESS))
        assert health.message == container.STARTING
        async with serving(Container(browser).app, unused_port):
            await it.until(lambda health: health.ready)
    (errand,) = browser.errands
    assert (errand.username, errand.password) == (USERNAME, PASSWORD)
    assert PASSWORD not in caplog.text
    assert PASSWORD not in (tmp_path / ".lingma-gateway" / "login.json").read_text()


async def test_a_wrong_password_in_the_container_is_not_tried_again_after_its_restart_until_it_changes(
    tmp_path: Path, unused_port: int
) -> None:
    lingma = lingma_with_a_page()
    browser = ScriptedBrowser(Rejected("the login page says that they are wrong", certain=True))
    async with watched(tmp_path, lingma, login_browser_port=unused_port) as it:
        async with serving(Container(browser).app, unused_port):
            await it.until(is_reason(LoginReason.CREDENTIALS_REJECTED))
        await it.until(lambda health: health.message == container.STARTING)
        restarted = Container(browser)
        async with serving(restarted.app, unused_port):
            await it.until(is_reason(LoginReason.CREDENTIALS_REJECTED))
            assert len(browser.errands) == 1
            browser.began.clear()
            restarted.held = Credentials(username=USERNAME, password="another one")
            async with asyncio.timeout(10):
                await browser.began.wait()
    assert [errand.password for errand in browser.errands] == [PASSWORD, "another one"]
