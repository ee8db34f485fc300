"""What a gateway says about itself, asked at the address of its pod, which need not be ready for that."""

from typing import Any, Protocol

import aiohttp

from lingma_contract.health import Health
from lingma_contract.names import Port
from lingma_operator.observed import CapturedSession, Report

ANSWER_SECONDS = 3.0
"""A gateway answers from memory; one that takes longer is in trouble."""


class GatewayRefused(Exception):
    """A gateway gave no captured session. The message holds nothing of one."""


class Gateways(Protocol):
    """Asks gateways."""

    async def ask(self, address: str) -> Report:
        """The report of the gateway at a pod's address, or the error that stands for it. Never raises for one."""

    async def captured(self, address: str, admin_token: str) -> CapturedSession:
        """The session that the gateway captured last.

        Raises:
            GatewayRefused: it does not answer with one.
        """


class HttpGateways:
    """`Gateways` over HTTP."""

    def __init__(self, session: aiohttp.ClientSession, port: int = Port.ADMIN) -> None:
        self._session = session
        self._port = port

    async def ask(self, address: str) -> Report:
        url = self._url(address, "/healthz")
        try:
            async with self._session.get(url, timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS)) as response:
                if response.status != 200:
                    return Report(error=f"{url} answered {response.status}")
                return Report(health=Health.parse(await response.json(content_type=None)))
        except TimeoutError:
            return Report(error=f"{url} did not answer within {ANSWER_SECONDS:g} s")
        except aiohttp.ClientConnectionError:
            return Report(error=f"{url} refuses connections")
        except (aiohttp.ClientError, ValueError) as error:
            return Report(error=f"{url}: {type(error).__name__}: {error}")

    async def captured(self, address: str, admin_token: str) -> CapturedSession:
        url = self._url(address, "/internal/session/captured")
        headers = {"Authorization": f"Bearer {admin_token}"}
        try:
            async with self._session.get(
                url, headers=headers, timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS)
            ) as response:
                if response.status != 200:
                    raise GatewayRefused(f"{url} answered {response.status}")
                return _captured(await response.json(content_type=None))
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise GatewayRefused(f"{url}: {type(error).__name__}") from error

    def _url(self, address: str, path: str) -> str:
        host = f"[{address}]" if ":" in address else address
        return f"http://{host}:{self._port}{path}"


def _captured(body: Any) -> CapturedSession:
    fields = body if isinstance(body, dict) else {}
    digest, derived_from, bundle = (fields.get(name) for name in ("digest", "derived_from", "bundle_b64"))
    if not isinstance(digest, str) or not isinstance(bundle, str) or not isinstance(derived_from, str | None):
        raise ValueError("no captured session")
    return CapturedSession(digest, derived_from, bundle)
