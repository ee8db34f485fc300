"""The container `login` of the pod, as the gateway sees it: a browser that holds the user name and password itself."""

import asyncio
import http.client
import json
import logging
import time
from typing import TYPE_CHECKING

from lingma_contract.jsonlog import event
from lingma_gateway.login import visits
from lingma_gateway.login.browser import Errand
from lingma_gateway.login.credentials import Credentials
from lingma_gateway.login.plan import Failed, LoggedIn, Outcome

if TYPE_CHECKING:
    import aiohttp

log = logging.getLogger(__name__)

_HOST = "127.0.0.1"
_CREDENTIAL_S = 3.0
_MARGIN_S = 60.0
"""Beyond the time of a visit, for Chromium's start and end: after that the container counts as stuck."""
_STATUS_POLL_S = 1.0
_PATIENCE_S = 30.0
"""How long a container that does not answer is taken for one that starts: a pod's containers start at the same time."""
UNREACHABLE = "the container `login` does not answer: see its log"
STARTING = "waiting for the container `login` to answer"


class LoginContainer:
    """A `Browser`. Of the credential it learns a mark; to the container it gives the login URL."""

    def __init__(self, port: int, visit_s: float) -> None:
        self._port = port
        self._longest_s = visit_s + _MARGIN_S
        self._silent_since_s: float | None = None

    def credentials(self) -> Credentials:
        """What stands for the user name and password of the container, or why nothing does. Blocks for a moment."""
        answer = self._ask()
        if answer is not None:
            self._silent_since_s = None
            mark, missing = answer
            return Credentials(elsewhere=mark, missing=missing)
        now_s = time.monotonic()
        self._silent_since_s = self._silent_since_s or now_s
        starting = now_s - self._silent_since_s < _PATIENCE_S
        return Credentials(missing=STARTING if starting else UNREACHABLE, awaited=starting)

    def _ask(self) -> tuple[str, str] | None:
        """The mark, and what is missing; None without an answer."""
        connection = http.client.HTTPConnection(_HOST, self._port, timeout=_CREDENTIAL_S)
        try:
            connection.request("GET", visits.CREDENTIAL)
            return visits.mark_or_fault(json.loads(connection.getresponse().read()))
        except (OSError, http.client.HTTPException, ValueError) as error:
            event(log, "login_container_unreachable", level=logging.DEBUG, error=type(error).__name__)
            return None
        finally:
            connection.close()

    async def log_in(self, errand: Errand) -> Outcome:
        """Send the container to the login page, and watch Lingma until it is logged in or the visit has ended."""
        url = await errand.address()
        issued_s = time.monotonic()
        visit = asyncio.create_task(self._visit(url, issued_s), name="login-visit")
        try:
            while not visit.done():
                await asyncio.wait({visit}, timeout=_STATUS_POLL_S)
                if await errand.logged_in():
                    return LoggedIn()
            outcome = visit.result()
        finally:
            # The container notices that nobody listens any more, and closes its browser.
            visit.cancel()
            await asyncio.gather(visit, return_exceptions=True)
        # Only Lingma knows.
        return Failed("the visit ended, and Lingma is not logged in") if isinstance(outcome, LoggedIn) else outcome

    async def _visit(self, url: str, issued_s: float) -> Outcome:
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=self._longest_s)
        address = f"http://{_HOST}:{self._port}{visits.VISITS}"
        try:
            # Not by way of a proxy of the environment.
            async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:
                async with session.post(address, json={"url": url}) as response:
                    return await _outcome(response, issued_s)
        except aiohttp.ClientConnectorError:
            return Failed(UNREACHABLE)
        except aiohttp.ClientError:
            return Failed("the container `login` went away during the visit")
        except TimeoutError:
            return Failed("the container `login` did not end the visit in time")


async def _outcome(response: "aiohttp.ClientResponse", issued_s: float) -> Outcome:
    try:
        body = json.loads(await response.read())
        return visits.decode(body, time.monotonic() - issued_s)
    except ValueError:
        return Failed("the container `login` gave an answer that is not understood")
