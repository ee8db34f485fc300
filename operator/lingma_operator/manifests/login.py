"""How the account logs in by itself: credentials for the gateway, and the container with a browser.

The user name and password are in the container `login` alone, which has nothing else: no key, no session, no share of
the work volume. The gateway asks it over loopback for a visit of the login page.
"""

import re

from lingma_contract.names import Container, Env, Path, Port
from lingma_operator.account import LingmaAccount
from lingma_operator.manifests.container import (
    ImageMissing,
    container,
    mount,
    resources,
    secret_volume,
    variable,
)
from lingma_operator.objects import Obj
from lingma_operator.settings import Settings

_TOKEN, _ACCESS_KEY, _BROWSER, _SCRATCH = "personal-token", "access-key", "login", "scratch"
_TOKEN_FILE, _KEY_ID_FILE, _KEY_SECRET_FILE = "token", "access-key-id", "access-key-secret"
_USERNAME_FILE, _PASSWORD_FILE = "username", "password"

# Chromium on one plain page; the limit stops a page that eats memory. Idle, only the service is there.
_RESOURCES = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "1Gi"}}
_SCRATCH_SIZE = "512Mi"

_SHARED = re.compile(r"LOG_LEVEL|AUTO_LOGIN_TIMEOUT|LOGIN_FORM_HOSTS|LOGIN_BROWSER_NO_SANDBOX|(?i:(https?|no)_proxy)")
"""The gateway's settings that are about the browser, too."""
_NO_SANDBOX = "LOGIN_BROWSER_NO_SANDBOX"


class NoLoginImage(ImageMissing):
    """The account wants a browser, and the operator's settings do not say which image holds one."""

    reason = "LoginImageMissing"


def gateway_env(account: LingmaAccount) -> dict[str, str]:
    """What the gateway is told of the ways to log in. Secrets are files, which it reads anew for each try."""
    login = account.spec.login
    env: dict[str, str] = {}
    if login.personal_token_secret_ref is not None:
        env[Env.PERSONAL_TOKEN_FILE.value] = f"{Path.PERSONAL_TOKEN_DIR}/{_TOKEN_FILE}"
    if login.access_key_secret_ref is not None:
        env[Env.ACCESS_KEY_FILE.value] = f"{Path.ACCESS_KEY_DIR}/{_KEY_ID_FILE}"
        env[Env.SECRET_KEY_FILE.value] = f"{Path.ACCESS_KEY_DIR}/{_KEY_SECRET_FILE}"
    if login.browser is not None:
        env[Env.LOGIN_BROWSER_PORT.value] = str(Port.LOGIN_BROWSER)
    return {**env, **_dedicated_domain(account)}


def gateway_mounts(account: LingmaAccount) -> list[Obj]:
    """Where the gateway has its credentials."""
    login = account.spec.login
    return [
        mount(volume, path, read_only=True)
        for volume, path, reference in (
            (_TOKEN, Path.PERSONAL_TOKEN_DIR, login.personal_token_secret_ref),
            (_ACCESS_KEY, Path.ACCESS_KEY_DIR, login.access_key_secret_ref),
        )
        if reference is not None
    ]


def volumes(account: LingmaAccount) -> list[Obj]:
    """The volumes of the credentials, and the browser's scratch."""
    login = account.spec.login
    found: list[Obj] = []
    if (token := login.personal_token_secret_ref) is not None:
        found.append(secret_volume(_TOKEN, token.name, {token.key: _TOKEN_FILE}))
    if (key := login.access_key_secret_ref) is not None:
        items = {key.access_key_id_key: _KEY_ID_FILE, key.access_key_secret_key: _KEY_SECRET_FILE}
        found.append(secret_volume(_ACCESS_KEY, key.name, items))
    if login.browser is not None:
        reference = login.browser.secret_ref
        items = {reference.username_key: _USERNAME_FILE, reference.password_key: _PASSWORD_FILE}
        found.append(secret_volume(_BROWSER, reference.name, items))
        found.append({"name": _SCRATCH, "emptyDir": {"sizeLimit": _SCRATCH_SIZE}})
    return found


def browser_containers(account: LingmaAccount, settings: Settings) -> list[Obj]:
    """The container `login`, for an account that asks for it.

    Raises:
        NoLoginImage: nothing says which image holds it.
    """
    browser = account.spec.login.browser
    if browser is None:
        return []
    if not settings.login_image:
        raise NoLoginImage(
            "spec.login.browser needs the image of the browser: set the chart's value image.login.repository"
        )
    return [
        {
            **container(Container.LOGIN, settings.login_image, settings),
            # Chromium leaves processes to the first one of the container, which must take note of their end.
            "command": ["tini", "--", "lingma-login"],
            "env": [variable(name, value) for name, value in sorted(_browser_env(account, settings).items())],
            "resources": resources(browser.resources, _RESOURCES),
            "volumeMounts": [mount(_BROWSER, Path.LOGIN_DIR, read_only=True), mount(_SCRATCH, Path.SCRATCH)],
        }
    ]


def _browser_env(account: LingmaAccount, settings: Settings) -> dict[str, str]:
    free = {**settings.gateway_env, **account.spec.gateway.env}
    return {
        # A sandbox of Chromium's own needs user namespaces, which the runtimes' default seccomp profiles refuse
        # without CAP_SYS_ADMIN. Where another profile allows them, a setting of the gateway says so.
        _NO_SANDBOX: "true",
        **{name: value for name, value in free.items() if _SHARED.fullmatch(name)},
        **_dedicated_domain(account),
        Env.LOGIN_BROWSER_PORT.value: str(Port.LOGIN_BROWSER),
        Env.USERNAME_FILE.value: f"{Path.LOGIN_DIR}/{_USERNAME_FILE}",
        Env.PASSWORD_FILE.value: f"{Path.LOGIN_DIR}/{_PASSWORD_FILE}",
        "HOME": Path.SCRATCH,
        "TMPDIR": Path.SCRATCH,
    }


def _dedicated_domain(account: LingmaAccount) -> dict[str, str]:
    domain = account.spec.login.dedicated_domain_url
    return {} if domain is None else {Env.DEDICATED_DOMAIN.value: domain}
