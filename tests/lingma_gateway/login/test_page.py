from dataclasses import replace

import pytest

from lingma_gateway.login import page
from lingma_gateway.login.page import Frame, Seen, Sight
from lingma_gateway.login.plan import HumanKind

HOSTS = ("aliyun.com", "127.0.0.1")
MAIN = Frame("https://account.aliyun.com/login", True, False, False, False, False, "", "Sign in")
FORM = Frame("https://passport.aliyun.com/mini", True, True, False, False, False, "", "")


def test_a_form_in_an_iframe_is_found() -> None:
    assert page.look([MAIN, FORM], HOSTS) == Seen(Sight.FORM, 1)
    assert page.look([replace(FORM, loaded=False)], HOSTS) == Seen(Sight.FORM, 0)


@pytest.mark.parametrize(
    ("frames", "sight"),
    [
        ([MAIN, FORM, replace(MAIN, url="https://x.aliyun.com//_____tmd_____/punish?x5secdata=1")], HumanKind.PUNISH),
        ([MAIN, replace(FORM, slider=True)], HumanKind.SLIDER),
        ([MAIN, replace(FORM, slider=True, code=True)], HumanKind.SLIDER),
        ([MAIN, replace(FORM, code=True, error="密码错误")], HumanKind.CAPTCHA),
        ([replace(MAIN, text="短信验证码已发送")], HumanKind.SMS),
        ([replace(MAIN, text="Enter the verification code")], HumanKind.SMS),
        ([MAIN, replace(FORM, url="https://aliyun.com.evil.example/")], HumanKind.FOREIGN_FORM),
        ([MAIN, replace(FORM, url="http://passport.aliyun.com/")], HumanKind.FOREIGN_FORM),
        ([MAIN, replace(FORM, url="about:blank")], HumanKind.FOREIGN_FORM),
        ([MAIN], Sight.UNKNOWN),
        ([replace(MAIN, loaded=False)], Sight.LOADING),
        ([MAIN, replace(MAIN, loaded=False)], Sight.LOADING),
        ([replace(MAIN, url="chrome-error://chromewebdata/")], Sight.UNREACHABLE),
        ([replace(MAIN, url="http://127.0.0.1:37510/auth/callback?state=1")], Sight.CALLBACK),
        ([replace(MAIN, url="http://127.0.0.1:37510/auth/callback", organizations=True)], HumanKind.ORGANIZATION),
        ([replace(MAIN, url="https://evil.example/auth/callback")], Sight.UNKNOWN),
    ],
)
def test_pages_without_a_form_to_fill(frames: list[Frame], sight: Sight | HumanKind) -> None:
    assert page.look(frames, HOSTS) == Seen(sight)


@pytest.mark.parametrize(
    "error",
    [
        "账号或密码错误",
        "登录名或登录密码不正确",
        "Incorrect user name or password",
        "The password entered is wrong.",
    ],
)
def test_a_wrong_password_is_known_by_its_words(error: str) -> None:
    assert page.look([MAIN, replace(FORM, error=error)], HOSTS) == Seen(Sight.WRONG_PASSWORD, 1)


@pytest.mark.parametrize("error", ["请输入密码", "Password", "network error"])
def test_another_error_is_a_complaint_that_is_not_known(error: str) -> None:
    assert page.look([MAIN, replace(FORM, error=error)], HOSTS) == Seen(Sight.COMPLAINT, 1)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://aliyun.com/", True),
        ("https://passport.aliyun.com:443/x", True),
        ("https://notaliyun.com/", False),
        ("http://127.0.0.1:8080/form", True),
        ("http://localhost:8080/form", False),
        ("about:blank", False),
        ("", False),
    ],
)
def test_a_password_is_typed_on_known_hosts_only(url: str, allowed: bool) -> None:
    assert page.may_type(url, HOSTS) is allowed
