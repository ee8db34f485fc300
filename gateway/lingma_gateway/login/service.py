"""`lingma-login`, the program of the container `login`: visits the login page when the gateway of its pod asks.

It is no open browser. It listens on loopback, opens pages of the hosts whose forms may get the password, one at a time,
and answers how the visit ended, never what was seen. It holds the user name and password, read anew for each visit, and
no key, session or login of Lingma: whether Lingma is logged in is for the gateway to say, which then ends the visit.
"""

import asyncio
import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import ValidationError

from lingma_contract import jsonlog
from lingma_contract.jsonlog import event
from lingma_gateway.login import visits
from lingma_gateway.login.browser import Browser, ChromiumLogin, Errand
from lingma_gateway.login.configuration import browser_settings, configured_credentials
from lingma_gateway.login.credentials import CredentialSource
from lingma_gateway.login.marks import Marks, kept_salt
from lingma_gateway.login.page import may_type
from lingma_gateway.login.plan import Failed, Outcome
from lingma_gateway.settings import Settings

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
_MAX_BODY_BYTES = 16 * 1024
_SHUTDOWN_S = 2.0
_SALT_FILE = "lingma-login.salt"
"""In the folder for temporary files, which outlives the container and not the pod."""

BUSY = "the container `login` is busy with another visit"
FOREIGN_HOST = "the login page is on a host that LOGIN_FORM_HOSTS does not name: it was not opened"
NO_CREDENTIAL = "there is no user name or no password in the Secret of spec.login.browser.secretRef"


class LoginService:
    """The routes, and the one visit at a time."""

    def __init__(
        self, browser: Browser, credentials: CredentialSource, form_hosts: Sequence[str], marks: Marks
    ) -> None:
        self._browser = browser
        self._credentials = credentials
        self._form_hosts = tuple(form_hosts)
        self._marks = marks
        self._visiting = False

    def app(self) -> web.Application:
        """The application."""
        app = web.Application(middlewares=[_from_the_gateway_only], client_max_size=_MAX_BODY_BYTES)
        app.add_routes([web.get(visits.CREDENTIAL, self._credential), web.post(visits.VISITS, self._visit)])
        return app

    async def _credential(self, _: web.Request) -> web.Response:
        mark = await asyncio.to_thread(self._mark)
        return web.json_response({"missing": NO_CREDENTIAL} if mark is None else {"mark": mark})

    def _mark(self) -> str | None:
        found = self._credentials()
        complete = found.username and found.password
        return self._marks.of((found.username, found.password)) if complete else None

    async def _visit(self, request: web.Request) -> web.Response:
        try:
            body = await request.json()
            url = body["url"]
            allowed = may_type(url, self._form_hosts)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise web.HTTPBadRequest(text="the body is no JSON object with a url\n") from None
        if not allowed:
            return self._answer(Failed(FOREIGN_HOST), status=403)
        if self._visiting:
            return self._answer(Failed(BUSY), status=409)
        self._visiting = True
        try:
            return self._answer(await self._outcome(url))
        finally:
            self._visiting = False

    async def _outcome(self, url: str) -> Outcome:
        found = await asyncio.to_thread(self._credentials)
        if not (found.username and found.password):
            return Failed(NO_CREDENTIAL)

        async def address() -> str:
            return url

        async def logged_in() -> bool:
            return False  # the gateway asks Lingma, and ends the visit

        event(log, "visit")
        try:
            return await self._browser.log_in(Errand(found.username, found.password, address, logged_in))
        except asyncio.CancelledError:
            event(log, "visit_left")  # logged in, or the gateway ends
            raise
        except Exception as error:  # noqa: BLE001 - its words may hold an address: they must not reach the server's log
            event(log, "visit_broken", level=logging.ERROR, error=type(error).__name__)
            return Failed("the browser failed: see the log of the container `login`")

    def _answer(self, outcome: Outcome, status: int = 200) -> web.Response:
        encoded = visits.encode(outcome)
        event(log, "visit_ended", **encoded)
        return web.json_response(encoded, status=status)


@web.middleware
async def _from_the_gateway_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Pages in a browser, ours above all, can reach loopback: they say their origin, or another name for this host."""
    if "Origin" in request.headers or request.host.partition(":")[0] != LOOPBACK:
        raise web.HTTPForbidden(text="not for browsers\n")
    return await handler(request)


def service(settings: Settings, salt_file: Path) -> LoginService:
    """The service of these settings.

    Raises:
        OSError: the salt cannot be kept.
    """
    browser = browser_settings(settings)
    marks = Marks(kept_salt(salt_file))
    return LoginService(ChromiumLogin(browser), configured_credentials(settings), browser.form_hosts, marks)


def main() -> None:
    """Entry point of the console script: serves until SIGTERM."""
    try:
        settings = Settings()
    except ValidationError as error:
        sys.exit("; ".join(f"{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors()))
    if not settings.login_browser_port:
        sys.exit("LOGIN_BROWSER_PORT is not set: it is the port on loopback that the gateway of this pod asks")
    jsonlog.configure(settings.log_level)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    web.run_app(
        service(settings, Path(tempfile.gettempdir()) / _SALT_FILE).app(),
        host=LOOPBACK,
        port=settings.login_browser_port,
        print=None,
        access_log=None,
        # A gateway that hangs up has seen enough: the visit ends with it.
        handler_cancellation=True,
        shutdown_timeout=_SHUTDOWN_S,
    )
