"""The login page: a form in a frame of another origin, as the passport page is, and its ways to refuse. Pure.

The ids are those of the protocol page, section 4. Everything else about the page is assumed.
"""

import html
import json
import urllib.parse
from collections.abc import Sequence

SIGN_IN = "/login/signin"
FORM = "/login/login.htm"
PUNISH = "/_____tmd_____/punish"

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body>
{body}
</body></html>
"""


def _page(title: str, body: str) -> str:
    return _PAGE.format(title=html.escape(title), body=body)


def outer(form_url: str) -> str:
    """The page of loginUrl: it holds the form's frame and follows where that says."""
    return _page(
        "Lingma login (simulated)",
        f'<h1>Log in to Lingma (simulated)</h1>\n<iframe id="alibaba-login-box" width="400" height="300"'
        f' src="{html.escape(form_url)}"></iframe>\n'
        '<script>addEventListener("message", (event) => {\n'
        f"  if (event.origin === new URL({_script(form_url)}).origin && event.data.redirect)"
        " location.href = event.data.redirect;\n});</script>",
    )


def form(fields: dict[str, str], kind: str) -> str:
    """The form itself. `kind` is the value of the fault `login-page`, or empty."""
    hidden = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">\n'
        for name, value in fields.items()
    )
    slider = '<div class="nc-container"><span class="nc_iconfont btn_slide">slide to verify</span></div>\n'
    punish = f'<iframe id="baxia-dialog-content" src="{PUNISH}?x5secdata=simulated"></iframe>\n'
    code = '<input id="fm-login-checkcode" name="checkcode" placeholder="code sent to your phone">\n'
    extra = {"captcha": slider, "punish": punish, "sms": code}.get(kind, "")
    return _page(
        "Sign in",
        f'<form id="login-form" method="post" action="{SIGN_IN}">\n{hidden}'
        '<input id="fm-login-id" name="loginId" autocomplete="username">\n'
        '<input id="fm-login-password" name="password2" type="password" autocomplete="current-password">\n'
        f'{extra}<button id="fm-login-submit" type="submit">Sign in</button>\n'
        '<div id="login-error" class="login-error-msg" role="alert"></div>\n</form>\n'
        f"<script>{_FORM_SCRIPT}{_REINITIALISE if kind == 'reinitialised' else ''}</script>",
    )


_FORM_SCRIPT = """
const form = document.getElementById("login-form");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form));
  const answer = await (await fetch(form.action, {method: "POST", body})).json();
  if (answer.redirect && parent === window) location.href = answer.redirect;
  else if (answer.redirect) parent.postMessage({redirect: answer.redirect}, new URL(document.referrer).origin);
  else document.getElementById("login-error").textContent = answer.message;
});
"""

_REINITIALISE = """
setTimeout(() => form.reset(), 300);
"""


def punish() -> str:
    """What the frame of a punished browser shows."""
    return _page("Verify", '<div class="nc-container"><p>Please slide to verify that you are not a robot</p></div>')


def organizations(base: str, state: str, choices: Sequence[tuple[str, str]]) -> str:
    """Which organization to log in for."""
    links = "\n".join(
        f'<li><a class="organization" href="{base}/auth/loginWithOrganization?'
        f'{html.escape(urllib.parse.urlencode({"organizationId": org_id, "state": state}))}">'
        f"{html.escape(name)}</a></li>"
        for org_id, name in choices
    )
    return _page("Choose an organization", f"<h1>Choose an organization</h1>\n<ul>\n{links}\n</ul>")


def done() -> str:
    """The login worked."""
    return _page("Logged in", '<h1 id="login-success">Logged in. You may close this page.</h1>')


def failed(reason: str) -> str:
    """The login did not work."""
    return _page("Login failed", f'<h1 id="login-failure">{html.escape(reason)}</h1>')


def _script(value: str) -> str:
    """A text inside a script element."""
    return json.dumps(value).replace("<", "\\u003c")
