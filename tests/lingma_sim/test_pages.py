import pytest

from lingma_sim import pages
from lingma_sim.faults import KINDS

FIELDS = {"nonce": 'n"><script>', "state": "s"}


def test_the_form_has_the_documented_ids() -> None:
    page = pages.form(FIELDS, "")
    for name in ("fm-login-id", "fm-login-password", "fm-login-submit"):
        assert f'id="{name}"' in page
    assert 'action="/login/signin"' in page
    assert "nc-container" not in page


@pytest.mark.parametrize(
    ("kind", "sign"),
    [
        ("captcha", 'class="nc-container"'),
        ("punish", 'src="/_____tmd_____/punish'),
        ("sms", 'id="fm-login-checkcode"'),
        ("reinitialised", "form.reset()"),
        ("wrong-password", 'id="login-form"'),
        ("refused", 'id="login-form"'),
    ],
)
def test_each_kind_of_page_has_its_sign(kind: str, sign: str) -> None:
    assert kind in KINDS["login-page"].choices
    assert sign in pages.form(FIELDS, kind)


def test_nothing_that_comes_from_outside_becomes_markup() -> None:
    evil = '"><script>x</script>'
    for page in (
        pages.form(FIELDS, ""),
        pages.outer(f"http://localhost:1/x?nonce={evil}"),
        pages.organizations("http://127.0.0.1:1", evil, [(evil, evil)]),
        pages.failed(evil),
    ):
        assert '"><script>' not in page
        assert "<script>x" not in page


def test_the_frame_is_the_documented_one() -> None:
    assert 'id="alibaba-login-box"' in pages.outer("http://localhost:1/f")
    assert "nc-container" in pages.punish()
    assert "login-success" in pages.done()
