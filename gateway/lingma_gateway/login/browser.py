"""Logging in on the service's own page with a real Chromium, as far as no person is asked for.

One password is submitted once a visit. Nothing is done to look like a person or to pass a check for one: what asks for
a person ends the visit. Playwright is imported only when a visit begins, so a gateway without the extra `login` runs.
"""

import asyncio
import logging
import os
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lingma_contract.jsonlog import event
from lingma_gateway.login import page as pages
from lingma_gateway.login.page import Frame, Seen, Sight
from lingma_gateway.login.plan import Failed, HumanKind, HumanNeeded, LoggedIn, Outcome, Rejected

if TYPE_CHECKING:
    from playwright.async_api import Browser as ChromiumBrowser
    from playwright.async_api import BrowserContext, Page, Playwright
    from playwright.async_api import Frame as PageFrame

log = logging.getLogger(__name__)

_ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_ENVIRONMENT = re.compile(r"PATH|HOME|TMPDIR|LANG|LC_.*|TZ|XDG_.*|DISPLAY|WAYLAND_DISPLAY|XAUTHORITY|FONTCONFIG_.*")
"""What Chromium gets of our environment; never the credentials in it."""
_PROXY = re.compile(r"(https?|all|no)_proxy", re.IGNORECASE)
_NO_SANDBOX = re.compile(r"no usable sandbox|(namespace|suid) sandbox", re.IGNORECASE)
"""Chromium's own words; its arguments, which the error also quotes, hold the word too."""
_POLL_S = 0.3
_STATUS_POLL_S = 1.0
_STABLE_LOOKS = 3
"""Looks in a row that must find what was typed before it is submitted: the form re-initialises after it has loaded."""
_ACTION_MS = 3000
_CLICK_MS = 20_000
"""More than for what may be done again: a click that ends in an error on a busy machine would cost the whole visit."""
_SETTLE_SHARE = 0.25
"""Share of the time-out after which a page that is not known counts as one for a person."""
_AT_ONCE = frozenset(
    {HumanKind.CAPTCHA, HumanKind.SLIDER, HumanKind.PUNISH, HumanKind.ORGANIZATION, HumanKind.FOREIGN_FORM}
)

_PROBE = """
([user, password, code, sliders, organizations, errors, longest]) => {
  const shown = selector => [...document.querySelectorAll(selector)].filter(element => {
    const box = element.getBoundingClientRect(), style = getComputedStyle(element);
    return box.width > 1 && box.height > 1 && style.visibility !== 'hidden' && style.opacity !== '0';
  });
  return {
    organizations: shown(organizations).length > 0,
    loaded: document.readyState === 'complete',
    form: shown(user).length > 0 && shown(password).length > 0,
    code: shown(code).length > 0,
    slider: shown(sliders).length > 0,
    error: shown(errors).map(element => element.innerText).join(' ').slice(0, longest),
    text: (document.body?.innerText ?? '').slice(0, longest),
  };
}
"""


@dataclass(frozen=True, slots=True)
class BrowserSettings:
    """Time in seconds."""

    path: Path
    headless: bool
    timeout_s: float
    no_sandbox: bool
    form_hosts: tuple[str, ...]
    """Hosts, with their subdomains, into whose forms the password may be typed."""


@dataclass(frozen=True, slots=True)
class Errand:
    """One login of one account. Shows nothing when printed."""

    username: str = field(repr=False)
    password: str = field(repr=False)
    address: Callable[[], Awaitable[str]] = field(repr=False)
    """Asks Lingma for a login URL, when the browser is ready for it: its nonce is used once."""
    logged_in: Callable[[], Awaitable[bool]] = field(repr=False)


class Browser(Protocol):
    """Does errands. One visit at a time."""

    async def log_in(self, errand: Errand) -> Outcome:
        """Whatever happens on the page is an outcome.

        Raises:
            UpstreamError: from the errand's own questions to Lingma.
        """
        ...


class ChromiumLogin:
    """A fresh Chromium for each visit, without a profile. One for the whole machine: a second errand waits."""

    def __init__(self, settings: BrowserSettings) -> None:
        self._settings = settings
        self._one_at_a_time = asyncio.Lock()

    async def log_in(self, errand: Errand) -> Outcome:
        try:
            from playwright.async_api import Error, async_playwright
        except ImportError:
            return Failed("a login by user name and password needs the package's extra `login`")
        if not self._settings.path.exists():
            return Failed("a login by user name and password needs Chromium: there is none at LOGIN_BROWSER_PATH")
        async with self._one_at_a_time:
            try:
                playwright = await async_playwright().start()
            except Exception as error:  # noqa: BLE001 - Playwright raises a bare one when its driver does not run
                event(log, "login_driver_broken", level=logging.ERROR, error=type(error).__name__)
                return Failed("the driver of the browser does not start: see the log")
            try:
                return await self._visited(playwright, errand)
            except Error as error:
                return Failed(_what(error))
            finally:
                await playwright.stop()

    async def _visited(self, playwright: "Playwright", errand: Errand) -> Outcome:
        browser = await self._launch(playwright)
        if isinstance(browser, Failed):
            return browser
        try:
            return await self._visit(browser, errand)
        finally:
            await browser.close()

    async def _launch(self, playwright: "Playwright") -> "ChromiumBrowser | Failed":
        from playwright.async_api import Error

        settings = self._settings
        try:
            return await playwright.chromium.launch(
                executable_path=settings.path,
                headless=settings.headless,
                chromium_sandbox=not (settings.no_sandbox or os.geteuid() == 0),  # Chromium refuses one as root
                args=_ARGUMENTS,
                env=_environment(),
                timeout=settings.timeout_s * 1000,
                handle_sigint=False,
                handle_sigterm=False,
                handle_sighup=False,
            )
        except Error as error:
            if _NO_SANDBOX.search(error.message):
                return Failed("Chromium cannot use its sandbox here: see LOGIN_BROWSER_NO_SANDBOX")
            return Failed("Chromium at LOGIN_BROWSER_PATH does not start")

    async def _visit(self, browser: "ChromiumBrowser", errand: Errand) -> Outcome:
        context = await browser.new_context(locale="zh-CN", accept_downloads=False, service_workers="block")
        await _allow_way_back(context)
        page = await context.new_page()
        page.set_default_timeout(_ACTION_MS)
        return await _Visit(page, errand, self._settings).run()


class _Visit:
    """One visit of the login page."""

    def __init__(self, page: "Page", errand: Errand, settings: BrowserSettings) -> None:
        self._page = page
        self._errand = errand
        self._settings = settings
        self._issued_s = self._asked_s = self._odd_since_s = time.monotonic()
        self._odd = False
        self._stable_looks = 0
        self._submitted = False

    async def run(self) -> Outcome:
        url = await self._errand.address()
        self._issued_s = time.monotonic()
        deadline_s = self._issued_s + self._settings.timeout_s
        await self._page.goto(url, wait_until="commit", timeout=self._settings.timeout_s * 1000)
        while time.monotonic() < deadline_s:
            outcome = await self._step()
            if outcome is not None:
                return outcome
            await asyncio.sleep(_POLL_S)
        return self._given_up()

    async def _step(self) -> Outcome | None:
        """One look at the page, and what follows from it."""
        if await self._logged_in():
            return LoggedIn()
        seen, frames = await self._look()
        if seen.sight in _AT_ONCE:
            return await self._confirmed(seen.sight)
        if seen.sight is Sight.UNREACHABLE:
            return Failed("the login page, or the way back from it, cannot be reached")
        if seen.sight is Sight.WRONG_PASSWORD and self._submitted:
            return Rejected("the login page says that they are wrong", certain=True)
        if seen.form is not None and not self._submitted:
            await self._fill(frames[seen.form])
        return await self._odd_for_long(seen.sight)

    async def _logged_in(self) -> bool:
        now_s = time.monotonic()
        if now_s - self._asked_s < _STATUS_POLL_S:
            return False
        self._asked_s = now_s
        return await self._errand.logged_in()

    async def _confirmed(self, sight: "Sight | HumanKind") -> Outcome:
        """The page wants a person, unless the login went through just before."""
        if await self._errand.logged_in():
            return LoggedIn()
        if isinstance(sight, HumanKind):
            return HumanNeeded(sight, time.monotonic() - self._issued_s)
        if sight is Sight.CALLBACK:
            return Failed("the service sent the browser back to Lingma, which did not log in")
        return HumanNeeded(HumanKind.UNKNOWN_PAGE, time.monotonic() - self._issued_s)

    async def _odd_for_long(self, sight: "Sight | HumanKind") -> Outcome | None:
        """A page that is none of the known ones is waited for a while: it may be on its way to one."""
        now_s = time.monotonic()
        was_odd = self._odd
        complaint = self._submitted and sight is Sight.COMPLAINT
        self._odd = complaint or sight in (Sight.UNKNOWN, Sight.CALLBACK, HumanKind.SMS)
        if not was_odd:
            self._odd_since_s = now_s
        if not self._odd or now_s - self._odd_since_s < self._settings.timeout_s * _SETTLE_SHARE:
            return None
        return await self._confirmed(sight)

    async def _look(self) -> "tuple[Seen, list[PageFrame]]":
        described: list[Frame] = []
        frames: list[PageFrame] = []
        for frame in self._page.frames:
            description = await _describe(frame)
            if description is not None:
                described.append(description)
                frames.append(frame)
            elif not described:
                return Seen(Sight.LOADING), []  # the main frame is between two pages
        return pages.look(described, self._settings.form_hosts), frames

    async def _fill(self, form: "PageFrame") -> None:
        """Type what the form does not hold; submit once it has held it for a while."""
        from playwright.async_api import Error

        try:
            held = (await form.input_value(pages.USERNAME), await form.input_value(pages.PASSWORD))
            if held != (self._errand.username, self._errand.password):
                self._stable_looks = 0
                await form.fill(pages.USERNAME, self._errand.username)
                await form.fill(pages.PASSWORD, self._errand.password)
                return
            self._stable_looks += 1
            if self._stable_looks >= _STABLE_LOOKS:
                # Before the click: one that ends in an error may still have been sent.
                self._submitted = True
                await form.click(pages.SUBMIT, timeout=_CLICK_MS)
        except Error as error:
            self._stable_looks = 0
            name = "login_submission_unsure" if self._submitted else "login_form_changed"
            level = logging.WARNING if self._submitted else logging.DEBUG
            event(log, name, level=level, reason=_what(error))

    def _given_up(self) -> Outcome:
        limit = f"within {self._settings.timeout_s:g} s"
        if self._submitted:
            return Failed(f"the login page did not lead back to Lingma {limit} of being opened")
        return Failed(f"the login page was not ready to be filled in {limit}")


async def _describe(frame: "PageFrame") -> Frame | None:
    """What a frame shows; None while it changes."""
    from playwright.async_api import Error

    selectors = [
        pages.USERNAME,
        pages.PASSWORD,
        pages.CODE,
        pages.SLIDERS,
        pages.ORGANIZATIONS,
        pages.ERRORS,
        pages.MAX_TEXT,
    ]
    try:
        shown: dict[str, Any] = await frame.evaluate(_PROBE, selectors)
    except Error:
        return None
    return Frame(url=frame.url, **shown)


async def _allow_way_back(context: "BrowserContext") -> None:
    """Let the service's page lead to Lingma's port on loopback, which newer Chromiums ask a person about."""
    from playwright.async_api import Error

    try:
        await context.grant_permissions(["local-network-access"])
    except Error:
        event(log, "login_browser_old", level=logging.DEBUG)  # one that does not know it does not ask either


def _environment() -> dict[str, str | float | bool]:
    return {name: value for name, value in os.environ.items() if _ENVIRONMENT.fullmatch(name) or _PROXY.fullmatch(name)}


def _what(error: Exception) -> str:
    """What went wrong in the browser. Its own messages quote addresses and are never passed on."""
    text = str(error)
    code = re.search(r"net::(ERR_[A-Z_]+)", text)
    if code is not None:
        return f"the login page cannot be reached ({code[1]})"
    return "the browser took too long" if "Timeout" in text else "the browser or its page went away"
