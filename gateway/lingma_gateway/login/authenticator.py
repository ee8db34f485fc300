"""Logs one Lingma in without a request, and keeps its login: carries out what `plan` decides."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, assert_never

from lingma_contract.health import LoginReason
from lingma_contract.jsonlog import event
from lingma_gateway.errors import UpstreamError, UpstreamLost, UpstreamProtocol, UpstreamRefused, UpstreamTimeout
from lingma_gateway.login import plan, token
from lingma_gateway.login.attempts import AttemptLog
from lingma_gateway.login.browser import Browser, Errand
from lingma_gateway.login.capture import CaptureSink, FileSink, Watch
from lingma_gateway.login.credentials import NO_CREDENTIALS, Credentials, CredentialSource
from lingma_gateway.login.expiry import RefreshPolicy, is_due
from lingma_gateway.login.plan import Attempt, Failed, LoggedIn, LookAtBundle, Offer, Outcome, Rest, Try, Wait, Way
from lingma_gateway.login.state import Login, Tokens, is_logged_in
from lingma_gateway.sessions.source import SessionSource

log = logging.getLogger(__name__)

_STATUS_POLL_S = 0.5


class Caller(Protocol):
    """The connection, as far as a login needs it."""

    async def request(self, method: str, params: dict[str, Any], timeout_s: float | None = None) -> Any:
        """The result of one call.

        Raises:
            UpstreamError: it failed.
        """
        ...


@dataclass(frozen=True, slots=True)
class LoginSettings:
    """How one account logs in."""

    enabled: bool = False
    """Whether anything but the session bundle is tried."""
    max_retry: int = 3
    dedicated_domain: str = ""
    organization_id: str = ""
    """Of an account with several, which one `auth/login` is for."""
    refresh: RefreshPolicy = RefreshPolicy(enabled=False, before_s=0.0)
    token_wait_s: float = 20.0
    """From an accepted `auth/login` until `auth/status` must say so, in seconds."""


@dataclass(frozen=True, slots=True)
class Step:
    """What to report, and whether Lingma must restart to read a session that was restored just now."""

    login: Login
    restart: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """For the admin API: nothing of it is secret."""

    running: Way | None
    last: tuple[tuple[Way, Attempt], ...]
    next_try_s: float | None
    """Seconds from now; None when nothing will be tried."""
    expires_ms: int | None
    """When the login ends, where Lingma tells."""


class Authenticator:
    """Of one instance. `advance` while logged out and `keep` while logged in, each at every look at the login."""

    def __init__(
        self,
        name: str,
        work_dir: Path,
        source: SessionSource,
        settings: LoginSettings | None = None,
        credentials: CredentialSource = lambda: NO_CREDENTIALS,
        browser: Browser | None = None,
        sink: CaptureSink | None = None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._name = name
        self._source = source
        self._settings = settings or LoginSettings()
        self._credentials = credentials
        self._browser = browser
        self._now_s = now_s
        self._log = AttemptLog(work_dir)
        self._watch = Watch(work_dir, sink or FileSink(work_dir))
        self._task: asyncio.Task[None] | None = None
        self._running: Way | None = None
        self._next_s: float | None = None
        self._expires_ms: int | None = None
        self._refreshed_s: float | None = None

    @property
    def progress(self) -> Progress:
        """What is going on."""
        next_try_s = None if self._next_s is None else max(0.0, self._next_s - self._now_s())
        return Progress(self._running, tuple(self._log.attempts.items()), next_try_s, self._expires_ms)

    @property
    def captured(self) -> str | None:
        """Digest of the login that was captured last."""
        return self._watch.kept

    def note(self, login: Login) -> str:
        """What to add to the message of `login` now: the age of the login URL that a person would be needed for."""
        return plan.note(self._log.attempts, login, self._now_s())

    async def advance(self, caller: Caller, found: Login, changed: Callable[[], None]) -> Step:
        """Lingma is not logged in: do the next thing. `changed` is called when a try has ended."""
        self._expires_ms = None
        credentials = await asyncio.to_thread(self._credentials)
        reported = found
        decision = plan.decide(await self._situation(found, credentials, bundle_looked_at=False))
        if isinstance(decision, LookAtBundle):
            verdict = await asyncio.to_thread(self._source.logged_out)
            if verdict is not None and verdict.restored:
                return Step(Login(verdict.reason, verdict.message), restart=True)
            if verdict is not None and found.reason is LoginReason.NO_SESSION:
                reported = Login(verdict.reason, verdict.message)
            decision = plan.decide(await self._situation(found, credentials, bundle_looked_at=True))
        self._next_s = None
        match decision:
            case Try(way, set_endpoint, login):
                self._start(caller, way, credentials, set_endpoint, changed)
                return Step(login)
            case Wait(login, until_s):
                self._next_s = until_s
                if credentials.awaited:
                    asyncio.get_running_loop().call_later(plan.AWAITED_WAIT_S, changed)
                return Step(login or reported)
            case Rest() | LookAtBundle():
                return Step(reported)
            case _:
                assert_never(decision)

    async def keep(self, caller: Caller, status: Any) -> bool:
        """Lingma is logged in: refresh the login before it ends, keep what changed. True: look at the login again."""
        self._source.accepted()
        self._next_s = None
        if self._log.attempts and self._running is None:
            await asyncio.to_thread(self._log.clear)
        tokens = Tokens.of(status) if isinstance(status, dict) else None
        self._expires_ms = tokens.expires_ms if tokens else None
        refreshed = False
        if tokens is not None and is_due(self._settings.refresh, tokens, self._refreshed_s, self._now_s()):
            refreshed = await self._refresh(caller, tokens)
        await asyncio.to_thread(self._watch.look)
        return refreshed

    async def stop(self) -> None:
        """End a try that runs: its connection is gone."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = self._running = None

    async def _situation(self, found: Login, credentials: Credentials, *, bundle_looked_at: bool) -> plan.Situation:
        offers = await asyncio.to_thread(self._offers, credentials) if self._settings.enabled else ()
        return plan.Situation(
            login=found,
            bundle_looked_at=bundle_looked_at,
            offers=offers,
            attempts=self._log.attempts,
            now_s=self._now_s(),
            max_retry=self._settings.max_retry,
            dedicated_domain=bool(self._settings.dedicated_domain),
            running=self._running,
            hindrance=credentials.missing,
            awaited=credentials.awaited,
        )

    def _offers(self, credentials: Credentials) -> tuple[Offer, ...]:
        configured = ((way, credentials.of(way)) for way in Way)
        return tuple(
            Offer(way, self._log.mark(parts))
            for way, parts in configured
            if parts is not None and (way is not Way.BROWSER or self._browser is not None)
        )

    def _start(
        self, caller: Caller, way: Way, credentials: Credentials, set_endpoint: bool, changed: Callable[[], None]
    ) -> None:
        def ended(task: asyncio.Task[None]) -> None:
            self._running = None
            if not task.cancelled() and (error := task.exception()) is not None:
                # Its own words may quote an address or a credential.
                event(log, "login_broken", level=logging.ERROR, instance=self._name, error=type(error).__name__)
            changed()

        self._running = way
        attempt = self._attempt(caller, way, credentials, set_endpoint)
        self._task = asyncio.create_task(attempt, name=f"login-{self._name}")
        self._task.add_done_callback(ended)

    async def _attempt(self, caller: Caller, way: Way, credentials: Credentials, set_endpoint: bool) -> None:
        """One try and its record. Recorded as failed before it begins, so that one that is cut short counts too."""
        mark = self._log.mark(credentials.of(way) or ())
        previous = self._log.attempts.get(way)
        await asyncio.to_thread(self._log.put, way, plan.interrupted(way, previous, mark, self._now_s()))
        event(log, "login_attempt", instance=self._name, way=way.value)
        try:
            if set_endpoint:
                await self._set_endpoint(caller)
            outcome = await self._log_in(caller, way, credentials)
        except UpstreamError as error:
            outcome = Failed(_words(error))
        await asyncio.to_thread(self._record, way, outcome, previous, mark)

    def _record(self, way: Way, outcome: Outcome, previous: Attempt | None, mark: str) -> None:
        if isinstance(outcome, LoggedIn):
            event(log, "login_succeeded", instance=self._name, way=way.value)
            self._log.clear()
            return
        attempt = plan.after(way, outcome, previous, mark, self._now_s())
        self._log.put(way, attempt)
        event(
            log,
            "login_not_done",
            level=logging.WARNING,
            instance=self._name,
            way=way.value,
            result=attempt.result.value,
            message=attempt.message,
            in_a_row=attempt.in_a_row,
        )

    async def _set_endpoint(self, caller: Caller) -> None:
        """Tell Lingma the dedicated domain if it has another. A failure is only logged."""
        wanted = self._settings.dedicated_domain
        try:
            if token.endpoint_differs(await caller.request(token.GET_ENDPOINT, {}), wanted):
                await caller.request(token.UPDATE_ENDPOINT, {"endpoint": wanted})
                event(log, "login_endpoint_set", instance=self._name)
        except UpstreamError as error:
            event(log, "login_endpoint_not_set", level=logging.WARNING, instance=self._name, reason=_words(error))

    async def _log_in(self, caller: Caller, way: Way, credentials: Credentials) -> Outcome:
        if way is Way.BROWSER and self._browser is not None:
            errand = Errand(
                username=credentials.username,
                password=credentials.password,
                address=lambda: _address(caller),
                logged_in=lambda: _logged_in(caller),
            )
            return await self._browser.log_in(errand)
        result = await caller.request(token.LOGIN, token.login_params(way, credentials, self._settings.organization_id))
        refused = token.refusal(result)
        return refused if refused is not None else await _until_logged_in(caller, self._settings.token_wait_s)

    async def _refresh(self, caller: Caller, tokens: Tokens) -> bool:
        self._refreshed_s = self._now_s()
        try:
            refusal = token.refresh_refusal(await caller.request(token.REFRESH, token.refresh_params(tokens)))
        except UpstreamError as error:
            refusal = _words(error)
        left_s = int(tokens.left_s(self._now_s()))
        if refusal is None:
            event(log, "login_refreshed", instance=self._name, left_s=left_s)
            return True
        event(log, "login_not_refreshed", level=logging.WARNING, instance=self._name, reason=refusal, left_s=left_s)
        return False


async def _address(caller: Caller) -> str:
    url = token.login_url(await caller.request(token.GENERATE_URL, {}))
    if url is None:
        raise UpstreamProtocol("login/generateUrl gave no URL")
    return url


async def _logged_in(caller: Caller) -> bool:
    """Whether Lingma says so. A question that it does not answer in time is asked again by the caller."""
    try:
        return is_logged_in(await caller.request(token.STATUS, {}))
    except (UpstreamTimeout, UpstreamRefused):
        return False


async def _until_logged_in(caller: Caller, longest_s: float) -> Outcome:
    deadline_s = time.monotonic() + longest_s
    while not await _logged_in(caller):
        if time.monotonic() > deadline_s:
            return Failed("Lingma accepted auth/login and is still not logged in")
        await asyncio.sleep(_STATUS_POLL_S)
    return LoggedIn()


def _words(error: UpstreamError) -> str:
    """What went wrong. Lingma's own words may quote what it was sent, so they are not passed on."""
    match error:
        case UpstreamProtocol():
            return error.message
        case UpstreamTimeout():
            return "Lingma did not answer in time"
        case UpstreamLost():
            return "the connection to Lingma was lost"
        case _:
            return "Lingma answered with an error: see its log"
