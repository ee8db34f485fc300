"""Makes the authenticators of this machine's instances from the settings."""

from dataclasses import replace
from pathlib import Path

from lingma_gateway.login.authenticator import Authenticator, LoginSettings
from lingma_gateway.login.browser import Browser, ChromiumLogin
from lingma_gateway.login.configuration import browser_settings, configured_credentials
from lingma_gateway.login.container import LoginContainer
from lingma_gateway.login.credentials import Credentials, CredentialSource
from lingma_gateway.login.expiry import RefreshPolicy
from lingma_gateway.sessions.source import SessionSource
from lingma_gateway.settings import Settings


class Logins:
    """All share one browser, so that not every account of a machine opens one at once."""

    def __init__(self, settings: Settings) -> None:
        self._browser: Browser
        self._credentials: CredentialSource = configured_credentials(settings)
        if settings.login_browser_port:
            container = LoginContainer(settings.login_browser_port, settings.auto_login_timeout)
            self._browser, self._credentials = container, _beside(self._credentials, container)
        else:
            self._browser = ChromiumLogin(browser_settings(settings))
        self._settings = LoginSettings(
            enabled=settings.auto_login_enabled,
            max_retry=settings.auto_login_max_retry,
            dedicated_domain=settings.dedicated_domain_url,
            organization_id=settings.lingma_organization_id,
            refresh=RefreshPolicy(settings.login_refresh_enabled, settings.login_refresh_before),
        )

    def of(
        self, name: str, work_dir: Path, source: SessionSource, credentials: Credentials | None = None
    ) -> Authenticator:
        """The authenticator of one instance; without `credentials` of its own it has those of the machine."""
        own: CredentialSource = self._credentials if credentials is None else lambda: credentials
        return Authenticator(name, work_dir, source, self._settings, own, self._browser)


def _beside(own: CredentialSource, container: LoginContainer) -> CredentialSource:
    """The tokens and keys that the gateway holds itself, and what stands for what the container `login` holds."""

    def read() -> Credentials:
        mine = own()
        return replace(
            container.credentials(),
            personal_token=mine.personal_token,
            access_key=mine.access_key,
            secret_key=mine.secret_key,
        )

    return read
