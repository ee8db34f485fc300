"""The HTTP port's pages and, where no other port has it, the login site's."""

import time
import urllib.parse
from http import HTTPStatus
from typing import TYPE_CHECKING

from lingma_sim import pages, web
from lingma_sim.tickets import NONCE_LIFE_SECONDS, TicketRefused
from lingma_sim.web import Request, Response

if TYPE_CHECKING:
    from lingma_sim.server import Simulator

REFUSALS = {
    "captcha": "please slide to verify",
    "punish": "please slide to verify",
    "sms": "wrong verification code",
    "wrong-password": "wrong account or password",
    "refused": "your browser is not supported",
}
"""What the login page answers under these values of the fault `login-page`, none of which anybody can pass."""


async def serve_lingma(simulator: "Simulator", request: Request) -> Response:
    """Lingma's own HTTP port."""
    simulator.journal.log(f"HTTP {request.method} {request.path}")  # no query: it holds tokens
    match request.method, request.path:
        case "GET", "/":
            return Response("lingma simulator\n")
        case "GET", "/auth/callback":
            return _callback(simulator, request)
        case "GET", "/auth/loginWithOrganization":
            return _choose(simulator, request)
        case _:
            return await serve_site(simulator, request)


async def serve_site(simulator: "Simulator", request: Request) -> Response:
    """The login site, which is Alibaba's in reality."""
    match request.method, request.path:
        case "GET", "/lingma/login":
            query = {name: request.query.get(name, "") for name in ("nonce", "port", "state")}
            # By another name of this machine: the real form is in a frame of another origin.
            frame = f"http://localhost:{simulator.login_port}{pages.FORM}?{urllib.parse.urlencode(query)}"
            return web.html(pages.outer(frame))
        case "GET", pages.FORM:
            fields = {name: request.query.get(name, "") for name in ("nonce", "port", "state")}
            return web.html(pages.form(fields, simulator.faults.peek("login-page") or ""))
        case "GET", pages.PUNISH:
            return web.html(pages.punish())
        case "POST", pages.SIGN_IN:
            return _sign_in(simulator, request)
        case _:
            return web.NOT_FOUND


def _sign_in(simulator: "Simulator", request: Request) -> Response:
    form = request.form()
    refusal = REFUSALS.get(simulator.faults.take("login-page") or "")
    person = simulator.accounts.by_password(form.get("loginId", ""), form.get("password2", ""))
    if refusal or person is None:
        return web.as_json({"success": False, "message": refusal or REFUSALS["wrong-password"]})
    query = urllib.parse.urlencode(
        {
            "state": form.get("state", ""),
            "auth": simulator.tickets.sign_in(person, form.get("nonce", "")),
            "token": "simulated",
        }
    )
    port = form.get("port", "")
    port = port if port.isascii() and port.isdigit() else str(simulator.http_port)
    return web.as_json({"success": True, "redirect": f"http://127.0.0.1:{port}/auth/callback?{query}"})


def _callback(simulator: "Simulator", request: Request) -> Response:
    try:
        person = simulator.tickets.redeem(
            request.query.get("auth", ""),
            state=request.query.get("state", ""),
            now=time.time(),
            life=nonce_life(simulator),
        )
    except TicketRefused as refused:
        return _refused(simulator, refused)
    if len(person.organizations) > 1:
        state = simulator.tickets.choose_later(person)
        base = f"http://127.0.0.1:{simulator.http_port}"
        return web.html(pages.organizations(base, state, person.organizations))
    simulator.log_in(person.uid, person.organizations[0][0] if person.organizations else "")
    return web.html(pages.done())


def _choose(simulator: "Simulator", request: Request) -> Response:
    org_id = request.query.get("organizationId", "")
    try:
        person = simulator.tickets.choose(request.query.get("state", ""), org_id)
    except TicketRefused as refused:
        return _refused(simulator, refused)
    simulator.log_in(person.uid, org_id)
    return web.html(pages.done())


def _refused(simulator: "Simulator", refused: TicketRefused) -> Response:
    simulator.journal.log(str(refused))
    return web.html(pages.failed(str(refused)), HTTPStatus.BAD_REQUEST)


def nonce_life(simulator: "Simulator") -> float:
    """Seconds for which a nonce may be used."""
    fault = simulator.faults.take("nonce-life")
    return NONCE_LIFE_SECONDS if fault is None else float(fault)
