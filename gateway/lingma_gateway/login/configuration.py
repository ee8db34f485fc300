"""What the settings say of logging in: the credentials, and how the browser is run."""

from urllib.parse import urlsplit

from lingma_gateway.login.browser import BrowserSettings
from lingma_gateway.login.credentials import Credentials
from lingma_gateway.login.secretfiles import ConfiguredCredentials
from lingma_gateway.settings import Settings


def configured_credentials(settings: Settings) -> ConfiguredCredentials:
    """What the settings say to log in with; files are read when it is called."""
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


def browser_settings(settings: Settings) -> BrowserSettings:
    """How Chromium is run, and which hosts it may show the password to."""
    hosts = [host.strip().lower() for host in settings.login_form_hosts.split(",")]
    hosts.append(urlsplit(settings.dedicated_domain_url).hostname or "")
    return BrowserSettings(
        path=settings.login_browser_path,
        headless=settings.auto_login_headless,
        timeout_s=settings.auto_login_timeout,
        no_sandbox=settings.login_browser_no_sandbox,
        form_hosts=tuple(host for host in hosts if host),
    )
