import asyncio
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lingma_contract import bundle as bundles
from lingma_contract.bundle import Bundle
from lingma_contract.health import LoginReason
from lingma_gateway.errors import UpstreamError, UpstreamLost, UpstreamRefused, UpstreamTimeout
from lingma_gateway.login.authenticator import Authenticator, LoginSettings
from lingma_gateway.login.browser import Browser
from lingma_gateway.login.credentials import Credentials
from lingma_gateway.login.expiry import RefreshPolicy
from lingma_gateway.login.plan import Failed, HumanKind, HumanNeeded, Rejected, Way
from lingma_gateway.login.state import Login
from lingma_gateway.sessions.source import SessionSource
from lingma_sim import login as sim_login
from tests.lingma_gateway.login.support import ScriptedBrowser, ScriptedLingma

NOW = 1_800_000_000.0
LOGGED_OUT = Login(LoginReason.NO_SESSION, "Lingma is not logged in")
TOKEN = Credentials(personal_token="s-token")
PERSON = Credentials(username="s-alice", password="s-password")
URL = "https://devops.aliyun.com/lingma/login?nonce=s-nonce"


class Bench:
    """An authenticator with its clock, its Lingma and what it says."""

    def __init__(
        self,
        work_dir: Path,
        credentials: Credentials = TOKEN,
        browser: Browser | None = None,
        bundle: Path | None = None,
        **settings: Any,
    ) -> None:
        self.lingma = ScriptedLingma()
        self.lingma.answers["login/generateUrl"] = lambda _: {"loginUrl": URL}
        self.now_s = NOW
        self.credentials = credentials
        self.ended = asyncio.Event()
        chosen = replace(LoginSettings(enabled=True), **settings)
        source = SessionSource(work_dir, bundle)
        self.it = Authenticator(
            "alice", work_dir, source, chosen, lambda: self.credentials, browser, now_s=lambda: self.now_s
        )

    async def advance(self, found: Login = LOGGED_OUT) -> Login:
        return (await self.it.advance(self.lingma, found, self.ended.set)).login

    async def try_once(self, found: Login = LOGGED_OUT) -> Login:
        """Advance, let the try end, and look again."""
        self.ended.clear()
        began = await self.advance(found)
        assert began.reason is LoginReason.LOGIN_IN_PROGRESS, began
        async with asyncio.timeout(5):
            await self.ended.wait()
        return await self.advance(found)


async def test_a_personal_token_logs_in_by_itself(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    def log_in(params: dict[str, Any]) -> dict[str, Any]:
        assert params == {"loginType": "personal_token", "personalToken": "s-token"}
        bench.lingma.log_in()
        return {"success": True, "url": ""}

    bench.lingma.answers["auth/login"] = log_in
    assert (await bench.advance()).reason is LoginReason.LOGIN_IN_PROGRESS
    assert bench.it.progress.running is Way.PERSONAL_TOKEN
    await bench.ended.wait()
    assert bench.it.progress.running is None
    assert bench.it.progress.last == ()


async def test_an_accepted_token_that_logs_nobody_in_is_a_failure_that_passes(tmp_path: Path) -> None:
    bench = Bench(tmp_path, token_wait_s=0.1)
    bench.lingma.answers["auth/login"] = lambda _: {"success": True}
    assert "accepted auth/login and is still not logged in" in (await bench.try_once()).message
    assert bench.it.progress.next_try_s == 30


async def test_after_a_refused_token_comes_the_browser_and_then_nothing_for_ten_minutes(tmp_path: Path) -> None:
    browser = ScriptedBrowser(HumanNeeded(HumanKind.SLIDER, 5.0))
    bench = Bench(tmp_path, replace(TOKEN, username="s-alice", password="s-password"), browser)
    bench.lingma.answers["auth/login"] = lambda _: {"success": False, "errorMsg": "s-token"}
    bench.ended.clear()
    assert "personal token" in (await bench.advance()).message
    await bench.ended.wait()
    found = await bench.try_once()
    assert found.reason is LoginReason.HUMAN_VERIFICATION_NEEDED
    assert bench.it.note(found) == " (the login URL is less than a minute old)"
    assert bench.it.progress.next_try_s == 600
    bench.now_s += 599
    assert (await bench.advance()).reason is LoginReason.HUMAN_VERIFICATION_NEEDED
    assert len(browser.errands) == 1
    assert bench.it.note(found) == " (the login URL is over 10 minutes old)"
    bench.now_s += 1
    assert (await bench.advance()).message == "logging in with the personal token"


async def test_a_wrong_password_is_not_tried_again_not_even_by_the_next_gateway(tmp_path: Path) -> None:
    browser = ScriptedBrowser(Rejected("they are wrong", certain=True))
    found = await Bench(tmp_path, PERSON, browser).try_once()
    assert found.reason is LoginReason.CREDENTIALS_REJECTED
    restarted = Bench(tmp_path, PERSON, browser)
    restarted.now_s += 1e6
    assert await restarted.advance() == found
    assert len(browser.errands) == 1
    assert "s-password" not in (tmp_path / ".lingma-gateway" / "login.json").read_text()
    assert (tmp_path / ".lingma-gateway" / "login.json").stat().st_mode & 0o777 == 0o600
    restarted.credentials = replace(PERSON, password="s-other")
    assert (await restarted.try_once()).reason is LoginReason.CREDENTIALS_REJECTED
    assert len(browser.errands) == 2


async def test_one_try_at_a_time_and_one_that_is_cut_short_counts(tmp_path: Path) -> None:
    browser = ScriptedBrowser()
    browser.hold = asyncio.Event()
    bench = Bench(tmp_path, PERSON, browser)
    assert await bench.advance() == await bench.advance()
    await bench.it.stop()
    assert bench.it.progress.running is None
    found = await bench.advance()
    assert found.message == "Lingma is not logged in; the last try failed: the try was interrupted"
    assert bench.it.progress.next_try_s == 30


async def test_a_try_that_never_began_leaves_nothing_running(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.advance()
    await bench.it.stop()
    await bench.it.stop()
    assert bench.it.progress.running is None


async def test_a_dedicated_domain_is_set_before_a_login_only_where_it_differs(tmp_path: Path) -> None:
    bench = Bench(tmp_path, dedicated_domain="https://d.example")
    current = {"endpoint": ""}
    bench.lingma.answers |= {
        "config/getEndpoint": lambda _: current,
        "config/updateEndpoint": lambda params: current.update(params) or {"success": True},
        "auth/login": lambda _: {"success": False},
    }
    await bench.try_once()
    assert bench.lingma.methods == ["config/getEndpoint", "config/updateEndpoint", "auth/login"]
    bench.now_s += 600
    bench.lingma.asked.clear()
    await bench.try_once()
    assert bench.lingma.methods == ["config/getEndpoint", "auth/login"]


async def test_a_dedicated_domain_that_cannot_be_set_is_only_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(tmp_path, dedicated_domain="https://d.example")
    bench.lingma.answers["auth/login"] = lambda _: {"success": False}
    assert (await bench.try_once()).reason is LoginReason.CREDENTIALS_REJECTED
    assert "login_endpoint_not_set" in caplog.text


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (UpstreamRefused("bad token s-token"), "see its log"),
        (UpstreamTimeout("auth/login s-token"), "did not answer in time"),
        (UpstreamLost("s-token"), "connection to Lingma was lost"),
    ],
)
async def test_what_lingma_says_to_a_secret_is_not_passed_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, error: UpstreamError, words: str
) -> None:
    caplog.set_level(logging.DEBUG)
    bench = Bench(tmp_path)
    bench.lingma.failing = error
    found = await bench.try_once()
    assert words in found.message
    assert "s-token" not in caplog.text + found.message + str(bench.it.progress)


async def test_a_lingma_without_a_login_url_is_a_failure_that_passes(tmp_path: Path) -> None:
    bench = Bench(tmp_path, PERSON, ScriptedBrowser())
    bench.lingma.answers["login/generateUrl"] = lambda _: {"success": False}
    assert "login/generateUrl gave no URL" in (await bench.try_once()).message


async def test_a_question_that_lingma_does_not_answer_does_not_end_a_visit(tmp_path: Path) -> None:
    bench = Bench(tmp_path, PERSON, ScriptedBrowser(Failed("timeout")))

    def refuse(_: dict[str, Any]) -> Any:
        bench.lingma.failing = UpstreamTimeout("slow")
        return {"loginUrl": URL}

    bench.lingma.answers["login/generateUrl"] = refuse
    assert "the last try failed: timeout" in (await bench.try_once()).message


async def test_a_browser_that_breaks_is_told_without_its_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    browser = ScriptedBrowser()
    browser.broken = RuntimeError(f"goto {URL}")
    found = await Bench(tmp_path, PERSON, browser).try_once()
    assert "interrupted" in found.message
    assert "login_broken" in caplog.text
    assert "s-nonce" not in caplog.text + found.message


async def test_without_a_browser_or_with_automatic_login_off_nothing_is_tried(tmp_path: Path) -> None:
    assert await Bench(tmp_path, PERSON).advance() == LOGGED_OUT
    assert await Bench(tmp_path, TOKEN, enabled=False).advance() == LOGGED_OUT
    blocked = Login(LoginReason.IP_BANNED, "banned")
    assert await Bench(tmp_path).advance(blocked) == blocked


async def test_a_corrupt_bundle_falls_through_to_the_next_way(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.write_text("no bundle at all")
    assert (await Bench(tmp_path, Credentials(), bundle=bundle).advance()).reason is LoginReason.BUNDLE_INVALID
    bench = Bench(tmp_path, bundle=bundle)
    assert (await bench.advance()).reason is LoginReason.LOGIN_IN_PROGRESS
    await bench.it.stop()


async def test_a_bundle_that_came_later_is_restored_before_anything_else_is_tried(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bench = Bench(tmp_path, bundle=bundle)
    bundle.write_bytes(bundles.pack(Bundle(sim_login.cache_files("alice", NOW, 1e9))))
    step = await bench.it.advance(bench.lingma, LOGGED_OUT, bench.ended.set)
    assert step.restart
    assert (tmp_path / "cache" / "user").exists()
    # Lingma still says so after its restart: it did not take it, and the next way has its turn.
    assert (await bench.advance()).reason is LoginReason.LOGIN_IN_PROGRESS
    await bench.it.stop()


async def test_a_new_bundle_is_restored_over_a_login_that_has_expired(tmp_path: Path) -> None:
    expired = Login(LoginReason.SESSION_EXPIRED, "the session has expired")
    bundle = tmp_path / "bundle"
    bundle.write_bytes(bundles.pack(Bundle(sim_login.cache_files("alice", NOW, 60))))
    bench = Bench(tmp_path, Credentials(), bundle=bundle)
    SessionSource(tmp_path, bundle).restore()
    assert await bench.advance(expired) == expired
    bundle.write_bytes(bundles.pack(Bundle(sim_login.cache_files("alice", NOW, 1e9))))
    assert (await bench.it.advance(bench.lingma, expired, bench.ended.set)).restart


def logged_in(lingma: ScriptedLingma, left_s: float) -> dict[str, Any]:
    lingma.log_in(token="s-oauth", refreshToken="s-refresh", expireTime=int((NOW + left_s) * 1000))
    return lingma.status


async def test_a_login_is_refreshed_before_it_ends_and_the_new_one_captured_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    bundle = tmp_path / "bundle"
    bundle.write_bytes(bundles.pack(Bundle(sim_login.cache_files("alice", NOW, 3600))))
    SessionSource(tmp_path, bundle).restore()
    bench = Bench(tmp_path, bundle=bundle, refresh=RefreshPolicy(enabled=True, before_s=86400))
    fresh = sim_login.cache_files("alice", NOW, 1e7)

    def refresh(params: dict[str, Any]) -> dict[str, Any]:
        assert params["refreshToken"] == "s-refresh"
        (tmp_path / "cache" / "user").write_bytes(fresh["user"])
        return {"success": True}

    bench.lingma.answers["auth/refreshToken"] = refresh
    assert not await bench.it.keep(bench.lingma, logged_in(bench.lingma, 1e6))
    captured = tmp_path / ".lingma-gateway" / "captured.tgz"
    assert not captured.exists()
    assert await bench.it.keep(bench.lingma, logged_in(bench.lingma, 3600))
    assert captured.stat().st_mode & 0o777 == 0o600
    assert bundles.unpack(captured.read_bytes()).files["user"] == fresh["user"]
    record = json.loads((tmp_path / ".lingma-gateway" / "captured.json").read_text())
    assert record["derived_from"] == bundles.unpack(bundle.read_bytes()).digest
    assert not await bench.it.keep(bench.lingma, logged_in(bench.lingma, 3600))
    assert bench.lingma.methods == ["auth/refreshToken"]
    assert bench.it.progress.expires_ms == int((NOW + 3600) * 1000)
    assert "s-refresh" not in caplog.text
    assert "s-oauth" not in caplog.text


@pytest.mark.parametrize("answer", [{"success": False, "errorMessage": "s-refresh"}, None])
async def test_a_refresh_that_fails_is_told_and_tried_again_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, answer: Any
) -> None:
    bench = Bench(tmp_path, refresh=RefreshPolicy(enabled=True, before_s=86400))
    if answer is not None:
        bench.lingma.answers["auth/refreshToken"] = lambda _: answer
    for passed_s, tries in ((0, 1), (2399, 1), (2400, 2)):
        bench.now_s = NOW + passed_s
        assert not await bench.it.keep(bench.lingma, logged_in(bench.lingma, 7200))
        assert bench.lingma.methods.count("auth/refreshToken") == tries
    assert "login_not_refreshed" in caplog.text
    assert "s-refresh" not in caplog.text


async def test_a_login_that_came_otherwise_forgets_what_was_tried(tmp_path: Path) -> None:
    bench = Bench(tmp_path, PERSON, ScriptedBrowser(Rejected("wrong", certain=True)))
    await bench.try_once()
    assert bench.it.progress.last
    await bench.it.keep(bench.lingma, logged_in(bench.lingma, 1e6))
    assert not bench.it.progress.last
