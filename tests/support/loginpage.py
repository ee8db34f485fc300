"""A login page as the protocol page describes the real one, with the Lingma that its callback reaches.

The form is in a cross-origin iframe (the page is on `localhost`, the form on `127.0.0.1`), it re-initialises after it
has loaded, its nonce is used once, and it can ask for a person in several ways.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from lingma_gateway.errors import UpstreamRefused

USERNAME, PASSWORD = "alice@example.com", "correct horse battery"

_OUTER = """<!doctype html><title>Login</title><p>Sign in</p>
<iframe id="alibaba-login-box" src="{form}" width="400" height="300"></iframe>
<script>addEventListener('message', event => {{ location = event.data; }});</script>"""

_FORM = """<!doctype html><form onsubmit="return false">
<input id="fm-login-id"><input id="fm-login-password" type="password">
{extra}
<button id="fm-login-submit" type="button">Sign in</button><div class="fm-error-tips"></div></form>
<script>
const field = id => document.getElementById(id);
setTimeout(() => {{ field('fm-login-id').value = ''; field('fm-login-password').value = ''; }}, {reinit_ms});
field('fm-login-submit').onclick = async () => {{
  const body = JSON.stringify([field('fm-login-id').value, field('fm-login-password').value]);
  const answer = await (await fetch('/submit?nonce={nonce}', {{method: 'POST', body}})).json();
  if (answer.callback) parent.postMessage(answer.callback, '*');
  else if (answer.slider) document.body.innerHTML = '<div class="nc-container" style="height:40px">slide</div>';
  else if (answer.page) document.body.innerText = answer.page;
  else document.querySelector('.fm-error-tips').innerText = answer.error;
}};
</script>"""


@dataclass
class LoginPage:
    """Knobs, and what was seen."""

    origin: str = ""
    before: str = ""
    """`slider`, `captcha` or `punish`: shown with the form."""
    after: str = ""
    """`slider`, or the text of a page: what a right password leads to instead of the callback."""
    deaf: bool = False
    """The callback reaches a Lingma that does not log in."""
    reinit_ms: int = 400
    submitted: list[tuple[str, str]] = field(default_factory=list)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    """Something was submitted."""
    nonces: set[str] = field(default_factory=set)
    status: int = 1
    calls: list[str] = field(default_factory=list)

    async def request(self, method: str, params: dict[str, Any], timeout_s: float | None = None) -> Any:
        """Lingma's side of the wire, as far as a login needs it."""
        self.calls.append(method)
        match method:
            case "auth/status":
                return {"status": self.status, "whitelist": 3}
            case "login/generateUrl":
                nonce = secrets.token_hex(8)
                self.nonces.add(nonce)
                return {"loginUrl": f"{self.origin.replace('127.0.0.1', 'localhost')}/login?nonce={nonce}"}
            case _:
                raise UpstreamRefused(f"unknown method: {method}")

    async def outer(self, request: web.Request) -> web.Response:
        page = _OUTER.format(form=f"{self.origin}/form?nonce={request.query['nonce']}")
        if self.before == "punish":
            page += '<iframe src="/_____tmd_____/punish?x=1"></iframe>'
        return web.Response(text=page, content_type="text/html")

    async def form(self, request: web.Request) -> web.Response:
        extra = {
            "slider": '<div class="nc-container" style="height:40px">slide</div>',
            "captcha": '<input id="fm-login-checkcode">',
        }.get(self.before, '<div class="nc-container" style="display:none"></div>')
        page = _FORM.format(nonce=request.query["nonce"], reinit_ms=self.reinit_ms, extra=extra)
        return web.Response(text=page, content_type="text/html")

    async def submit(self, request: web.Request) -> web.Response:
        username, password = await request.json()
        self.submitted.append((username, password))
        self.reached.set()
        if (username, password) != (USERNAME, PASSWORD):
            return web.json_response({"error": "账号或密码错误"})
        if self.after == "slider":
            return web.json_response({"slider": True})
        if self.after:
            return web.json_response({"page": self.after})
        nonce = request.query["nonce"]
        return web.json_response({"callback": f"{self.origin}/auth/callback?state={nonce}&auth=a&token=t"})

    async def callback(self, request: web.Request) -> web.Response:
        nonce = request.query["state"]
        if nonce in self.nonces and not self.deaf:
            self.nonces.remove(nonce)
            self.status = 2
        return web.Response(text="you may close this window")

    async def empty(self, _: web.Request) -> web.Response:
        return web.Response(text="")


@asynccontextmanager
async def login_page(**knobs: Any) -> AsyncIterator[LoginPage]:
    """The page on a free port of loopback."""
    page = LoginPage(**knobs)
    app = web.Application()
    app.add_routes(
        [
            web.get("/login", page.outer),
            web.get("/form", page.form),
            web.post("/submit", page.submit),
            web.get("/auth/callback", page.callback),
            web.get("/{rest:.*}", page.empty),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    page.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield page
    finally:
        await runner.cleanup()
