"""The login page in a real Chromium. Few and short: what a page means is decided, and tested, in `page`."""

import asyncio
import contextlib
import logging
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from lingma_gateway.login.browser import BrowserSettings, ChromiumLogin, Errand
from lingma_gateway.login.plan import Failed, HumanKind, HumanNeeded, LoggedIn, Outcome, Rejected
from lingma_gateway.login.state import is_logged_in
from tests.support.loginpage import PASSWORD, USERNAME, LoginPage, login_page


def settings(path: Path, **changes: Any) -> BrowserSettings:
    chosen: dict[str, Any] = {
        "path": path,
        "headless": True,
        "timeout_s": 12.0,
        "no_sandbox": False,
        "form_hosts": ("127.0.0.1",),
    }
    return BrowserSettings(**{**chosen, **changes})


def descendants() -> list[tuple[str, bytes]]:
    """Name and environment of every process that descends from this one and runs."""
    parents: dict[int, int] = {}
    found: dict[int, tuple[str, bytes]] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        with contextlib.suppress(OSError):
            name, _, rest = (folder / "stat").read_text().partition("(")[2].rpartition(")")
            state, parent = rest.split()[:2]
            if state != "Z":
                parents[int(folder.name)] = int(parent)
                found[int(folder.name)] = (name, (folder / "environ").read_bytes())

    def ours(pid: int) -> bool:
        while pid in parents:
            pid = parents[pid]
            if pid == os.getpid():
                return True
        return False

    return [found[pid] for pid in parents if pid in found and ours(pid)]


async def visit(page: LoginPage, chosen: BrowserSettings, password: str = PASSWORD) -> Outcome:
    async def address() -> str:
        return str((await page.request("login/generateUrl", {}))["loginUrl"])

    async def logged_in() -> bool:
        return is_logged_in(await page.request("auth/status", {}))

    return await ChromiumLogin(chosen).log_in(Errand(USERNAME, password, address, logged_in))


async def test_the_form_is_filled_anew_when_it_forgets_and_submitted_once(
    chromium: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("LINGMA_PASSWORD", PASSWORD)
    async with login_page() as page:
        assert await visit(page, settings(chromium)) == LoggedIn()
        assert page.submitted == [(USERNAME, PASSWORD)]
    assert PASSWORD not in caplog.text
    assert "nonce" not in caplog.text


async def test_a_wrong_password_is_rejected_and_not_sent_again(chromium: Path) -> None:
    async with login_page() as page:
        outcome = await visit(page, settings(chromium), password="wrong")
        assert isinstance(outcome, Rejected)
        assert outcome.certain
        assert page.submitted == [(USERNAME, "wrong")]


async def test_a_visit_that_is_cancelled_leaves_no_process_and_chromium_gets_none_of_our_secrets(
    chromium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINGMA_PASSWORD", PASSWORD)
    opened = asyncio.Event()
    async with login_page(before="slider") as page:

        async def address() -> str:
            opened.set()
            await asyncio.Event().wait()
            raise AssertionError("never reached")

        async def logged_in() -> bool:
            return False

        visiting = asyncio.create_task(
            ChromiumLogin(settings(chromium)).log_in(Errand(USERNAME, PASSWORD, address, logged_in))
        )
        async with asyncio.timeout(20):
            await opened.wait()
        seen = [environment for name, environment in descendants() if "chrom" in name]
        visiting.cancel()
        await asyncio.gather(visiting, return_exceptions=True)
        assert page.submitted == []
    assert seen
    assert not any(PASSWORD.encode() in environment for environment in seen)
    assert [name for name, _ in descendants() if "chrom" in name or "node" in name] == []


@pytest.mark.parametrize(("before", "kind"), [("slider", HumanKind.SLIDER), ("punish", HumanKind.PUNISH)])
async def test_a_page_that_asks_for_a_person_gets_no_password(chromium: Path, before: str, kind: HumanKind) -> None:
    async with login_page(before=before) as page:
        outcome = await visit(page, settings(chromium))
        assert isinstance(outcome, HumanNeeded)
        assert outcome.kind is kind
        assert 0 <= outcome.url_age_s < 12
        assert page.submitted == []


async def test_an_unknown_page_after_the_password_is_for_a_person(chromium: Path) -> None:
    async with login_page(after="请输入短信验证码") as page:
        outcome = await visit(page, settings(chromium, timeout_s=8.0))
        assert isinstance(outcome, HumanNeeded)
        assert outcome.kind is HumanKind.SMS
        assert len(page.submitted) == 1


async def test_a_form_on_an_unknown_host_gets_no_password(chromium: Path) -> None:
    async with login_page() as page:
        outcome = await visit(page, settings(chromium, form_hosts=("aliyun.com",)))
        assert isinstance(outcome, HumanNeeded)
        assert outcome.kind is HumanKind.FOREIGN_FORM
        assert page.submitted == []


async def test_a_browser_that_does_not_start_is_told(tmp_path: Path) -> None:
    (tmp_path / "chromium").symlink_to("/bin/false")
    async with login_page() as page:
        outcome = await visit(page, settings(tmp_path / "chromium"))
    assert outcome == Failed("Chromium at LOGIN_BROWSER_PATH does not start")


async def test_the_gateway_runs_without_the_extra_and_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "playwright.async_api", None)
    async with login_page() as page:
        outcome = await visit(page, settings(tmp_path))
    assert outcome == Failed("a login by user name and password needs the package's extra `login`")
    code = "import sys, lingma_gateway.cli; sys.exit('playwright' in sys.modules)"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    assert await process.wait() == 0


async def test_without_a_browser_the_outcome_says_what_to_install(tmp_path: Path) -> None:
    async with login_page() as page:
        outcome = await visit(page, settings(tmp_path / "none"))
    assert outcome == Failed("a login by user name and password needs Chromium: there is none at LOGIN_BROWSER_PATH")
