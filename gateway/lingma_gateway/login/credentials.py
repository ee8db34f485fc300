"""What an account can log in with, beside a session bundle. Pure; nothing of it is shown when printed."""

from collections.abc import Callable
from dataclasses import dataclass, field

from lingma_gateway.login.plan import Way


@dataclass(frozen=True, slots=True)
class Credentials:
    """Of one account. An empty text is none."""

    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    personal_token: str = field(default="", repr=False)
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    elsewhere: str = ""
    """Stands for the user name and password that the container `login` holds: the mark changes when they do."""
    missing: str = ""
    """What keeps a configured way from being tried now, for a person."""
    awaited: bool = False
    """What is missing is likely to be there in a moment."""

    def of(self, way: Way) -> tuple[str, ...] | None:
        """What `way` uses; None where that is not complete."""
        parts = {
            Way.PERSONAL_TOKEN: (self.personal_token,),
            Way.ACCESS_KEY: (self.access_key, self.secret_key),
            Way.BROWSER: (self.elsewhere,) if self.elsewhere else (self.username, self.password),
        }[way]
        return parts if all(parts) else None


CredentialSource = Callable[[], Credentials]
"""Reads them anew each time, since mounted files change. May touch files."""


NO_CREDENTIALS = Credentials()
