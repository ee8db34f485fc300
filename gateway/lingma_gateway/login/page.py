"""What the login page shows, as far as it is known. Pure: the browser describes its frames, this names them.

The selectors are those of Alibaba's passport form as another project uses them on the international page (protocol
page, section 4: medium confidence; nothing was seen on Lingma's own page). The texts are ours to guess (low). What is
not recognised is `UNKNOWN`, and ends as something for a person.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import urlsplit

from lingma_gateway.login.plan import HumanKind

USERNAME = "#fm-login-id"
PASSWORD = "#fm-login-password"
SUBMIT = "#fm-login-submit"
CODE = "#fm-login-checkcode"
SLIDERS = ".nc-container, .nc_wrapper, .nc-lang-cnt, #nc_1_n1z, #baxia-dialog-content"
ORGANIZATIONS = "a[href*='/auth/loginWithOrganization']"
ERRORS = "#login-error, .login-error, .login-error-msg, .fm-error, .fm-error-tips, .error-msg, [role=alert]"
MAX_TEXT = 4000
"""Characters of a frame's text that are looked at."""

_PUNISH = "/_____tmd_____/punish"
_CALLBACK = "/auth/callback"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_WRONG_PASSWORD = re.compile(
    r"密码错误|密码不正确|密码有误|账号或密码|帐号或密码|账户名或登录密码|用户名或密码|登录名或登录密码"
    r"|(incorrect|wrong|invalid)[^.]{0,40}password|password[^.]{0,40}(incorrect|wrong|invalid|not match)",
    re.IGNORECASE,
)
_SMS = re.compile(
    r"短信验证码|手机验证码|校验码|验证码已发送|verification code|text message|security code", re.IGNORECASE
)


class Sight(Enum):
    """What the page shows now."""

    LOADING = auto()
    FORM = auto()
    WRONG_PASSWORD = auto()
    COMPLAINT = auto()
    """The form with an error that is not known."""
    CALLBACK = auto()
    """Lingma's own page: the service has sent the browser back to it."""
    UNREACHABLE = auto()
    """The browser's own error page."""
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Frame:
    """What one frame of the page shows. Its text may hold anything and is never logged."""

    url: str
    loaded: bool
    form: bool
    """User name and password fields are visible."""
    code: bool
    slider: bool
    organizations: bool
    """Links to log in for one organization or another."""
    error: str
    text: str


@dataclass(frozen=True, slots=True)
class Seen:
    """The page: what it shows, or what it wants of a person, and the frame that the form is in."""

    sight: Sight | HumanKind
    form: int | None = None


def look(frames: Sequence[Frame], hosts: Iterable[str]) -> Seen:
    """What the page of these frames, the main one first, shows. Forms count on `hosts` and their subdomains only."""
    main = frames[0]
    if main.url.startswith("chrome-error:"):
        return Seen(Sight.UNREACHABLE)
    address = urlsplit(main.url)
    if main.organizations:
        return Seen(HumanKind.ORGANIZATION)
    if address.hostname in _LOOPBACK and address.path.startswith(_CALLBACK):
        return Seen(Sight.CALLBACK)
    challenge = _challenge(frames)
    if challenge is not None:
        return Seen(challenge)
    form = next((index for index, frame in enumerate(frames) if frame.form), None)
    if any(_WRONG_PASSWORD.search(frame.error) for frame in frames):
        return Seen(Sight.WRONG_PASSWORD, form)
    if form is not None:
        if not may_type(frames[form].url, hosts):
            return Seen(HumanKind.FOREIGN_FORM)
        return Seen(Sight.COMPLAINT if frames[form].error.strip() else Sight.FORM, form)
    if not all(frame.loaded for frame in frames):
        return Seen(Sight.LOADING)
    return Seen(HumanKind.SMS if any(_SMS.search(frame.text) for frame in frames) else Sight.UNKNOWN)


def _challenge(frames: Sequence[Frame]) -> HumanKind | None:
    if any(_PUNISH in frame.url for frame in frames):
        return HumanKind.PUNISH
    if any(frame.slider for frame in frames):
        return HumanKind.SLIDER
    if any(frame.code for frame in frames):
        return HumanKind.CAPTCHA
    return None


def may_type(url: str, hosts: Iterable[str]) -> bool:
    """Whether a password may be typed into a page of this address: a known host, by https unless it is loopback."""
    address = urlsplit(url)
    host = address.hostname or ""
    known = any(host == name or host.endswith(f".{name}") for name in hosts)
    return known and (address.scheme == "https" or host in _LOOPBACK)
