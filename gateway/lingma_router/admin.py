"""The admin port: probes for the kubelet, a report for people, metrics. It says nothing secret and needs no key."""

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from lingma_router.directory import Directory
from lingma_router.keys import KeyRing
from lingma_router.loads import Loads
from lingma_router.proxy import Proxy
from lingma_router.telemetry import Telemetry
from lingma_router.watching import Watchers


@dataclass(frozen=True, slots=True)
class Admin:
    """The parts that the admin port reports on."""

    directory: Directory
    keys: KeyRing
    loads: Loads
    proxy: Proxy
    telemetry: Telemetry
    watchers: Watchers

    def application(self) -> web.Application:
        """The routes."""
        application = web.Application()
        application.router.add_get("/livez", self._livez)
        application.router.add_get("/readyz", self._readyz)
        application.router.add_get("/healthz", self._healthz)
        application.router.add_get("/metrics", self._metrics)
        return application

    def not_ready(self) -> str | None:
        """Why this replica should get no new connections, or None. Accounts do not count: a router without any still
        says why in its answers, which a Service without endpoints cannot."""
        if self.proxy.closing:
            return "draining"
        if self.keys.current is None:
            return "the API key Secret or the master Secret cannot be read yet"
        if not self.watchers.synced:
            return "the accounts are not listed yet"
        return None

    async def _livez(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        problem = self.not_ready()
        return web.Response(status=200 if problem is None else 503, text=f"{problem or 'ok'}\n")

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response(self._report())

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(
            body=self.telemetry.render(), headers={"content-type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    def _report(self) -> dict[str, Any]:
        snapshot = self.directory.snapshot
        problem = self.not_ready()
        return {
            "ok": problem is None and bool(snapshot.ready),
            "not_ready": problem,
            "draining": self.proxy.closing,
            "in_flight": self.proxy.active,
            "accounts_ready": len(snapshot.ready),
            "accounts": [
                {
                    "namespace": listed.account.namespace,
                    "name": listed.account.name,
                    "state": listed.state.value,
                    "address": listed.account.address,
                    "in_flight": self.loads.counts.get(uid, 0),
                }
                for uid, listed in snapshot.accounts.items()
            ],
        }
