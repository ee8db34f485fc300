"""Makes the authenticators of this machine's instances from the settings."""

from pathlib import Path
from urllib.parse import urlsplit

from lingma_gateway.login.authenticator import Authenticator, LoginSettings
from lingma_gateway.login.browser import BrowserSettings, ChromiumLogin
from lingma_gateway.login.credentials import Credentials, CredentialSource
from lingma_gateway.login.expiry import RefreshPolicy
from lingma_gateway.login.secretfiles import ConfiguredCredentials
from lingma_gateway.sessions.source import SessionSource
from lingma_gateway.settings import Settings


class Logins:
    """All share one browser, so that not every account of a machine opens one at once."""

    def __init__(self, settings: Settings) -> None:
        self._browser = ChromiumLogin(_browser(settings))
        self._credentials = _credentials(settings)
        self._settings = LoginSettings(
            enabled=settings.auto_login_enabled,
            max_retry=settings.auto_login_max_retry,
            dedicated_domain=settings.dedicated_domain_url,
            refresh=RefreshPolicy(settings.login_refresh_enabled, settings.login_refresh_before),
        )

    def of(
        self, name: str, work_dir: Path, source: SessionSource, credentials: Credentials | None = None
    ) -> Authenticator:
        """The authenticator of one instance; without `credentials` of its own it has those of the machine."""
        own: CredentialSource = self._credentials if credentials is None else lambda: credentials
        return Authenticator(name, work_dir, source, self._settings, own, self._browser)


def _credentials(settings: Settings) -> ConfiguredCredentials:
    files = {
        "username": settings.lingma_username_file,
        "password": settings.lingma_password_file,
        "personal_token": settings.lingma_personal_token_file,
        "access_key": settings.lingma_access_key_file,
        "secret_key": settings.lingma_secret_key_file,
    }
    values = Credentials(
        username=settings.lingma_username.get_secret_value(),
        password=settings.lingma_password.get_secret_value(),
        personal_token=settings.lingma_personal_token.get_secret_value(),
        access_key=settings.lingma_access_key.get_secret_value(),
        secret_key=settings.lingma_secret_key.get_secret_value(),
    )
    return ConfiguredCredentials(values, {name: path for name, path in files.items() if path is not None})


def _browser(settings: Settings) -> BrowserSettings:
    hosts = [host.strip().lower() for host in settings.login_form_hosts.split(",")]
    hosts.append(urlsplit(settings.dedicated_domain_url).hostname or "")
    return BrowserSettings(
        path=settings.login_browser_path,
        headless=settings.auto_login_headless,
        timeout_s=settings.auto_login_timeout,
        no_sandbox=settings.login_browser_no_sandbox,
        form_hosts=tuple(host for host in hosts if host),
    )
