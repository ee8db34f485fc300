"""What a gateway says about itself: `GET /healthz` at the address of its pod, which need not be ready for that."""

from typing import Protocol

import aiohttp

from lingma_contract.health import Health
from lingma_contract.names import Port
from lingma_operator.observed import Report

ANSWER_SECONDS = 3.0
"""A gateway answers from memory; one that takes longer is in trouble."""


class Gateways(Protocol):
    """Asks gateways for their health."""

    async def ask(self, address: str) -> Report:
        """The report of the gateway at a pod's address, or the error that stands for it. Never raises for one."""


class HttpGateways:
    """`Gateways` over HTTP."""

    def __init__(self, session: aiohttp.ClientSession, port: int = Port.ADMIN) -> None:
        self._session = session
        self._port = port

    async def ask(self, address: str) -> Report:
        host = f"[{address}]" if ":" in address else address
        url = f"http://{host}:{self._port}/healthz"
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
