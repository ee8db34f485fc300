"""Accounts without a session bundle log in by the browser of the container `login`, unless a person is asked for."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from demo.kube import Object, condition, holds
from lingma_contract.names import Container, children_name
from tests.e2e.support import ACCOUNT_PODS, Lingma

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180, func_only=True)]

SECRET = "login-person"
SECONDS = 120
"""Three Chromiums start at once, on what may be two cores."""
PAGES = {"walter": None, "wanda": "wrong-password", "carl": "captcha"}
"""Accounts by what is the matter with their login page."""


@pytest.fixture(scope="module")
def people(lingma: Lingma) -> Iterator[tuple[str, ...]]:
    """All at once: each has a pod to start and a page to visit."""
    password = {"username": "walter-uid", "password": "correct-horse-battery"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET}, "stringData": password}
    with ExitStack() as open_:
        lingma.kube.apply(secret)  # stays for the test of secrecy, which looks for it in what the containers said
        for name, fault in PAGES.items():
            args = ["--fault", f"login-page={fault}"] if fault else []
            open_.enter_context(
                lingma.account(
                    name,
                    sessionSecretRef=None,
                    login={"browser": {"secretRef": {"name": SECRET}}},
                    lingma={"args": args},
                    gateway={"env": {"LOGIN_FORM_HOSTS": "127.0.0.1,localhost", "DRAIN_PROPAGATION_SECONDS": "0"}},
                )
            )
        yield tuple(PAGES)
        lingma.evidence.collect(lingma.kube, "-l", ACCOUNT_PODS)
        lingma.kube.run("delete", "lingmaaccounts", *PAGES)  # at once, before each is waited for


def logged_out(reason: str) -> Callable[[Object], bool]:
    def accept(account: Object) -> bool:
        found = condition(account, "LoggedIn")
        return found is not None and (found["status"], found["reason"]) == ("False", reason)

    return accept


@pytest.mark.usefixtures("people")
def test_a_user_name_and_password_make_an_account_ready(lingma: Lingma) -> None:
    lingma.account_ready("walter")
    assert lingma.chat_with("walter", "@sim whoami").text == "walter-uid"


@pytest.mark.usefixtures("people")
def test_a_wrong_password_is_told_and_not_tried_again(lingma: Lingma) -> None:
    account = lingma.account_when("wanda", logged_out("CredentialsRejected"), SECONDS)
    said = condition(account, "Ready")
    assert said is not None and said["reason"] == "CredentialsRejected"
    assert said["message"].startswith("refused: the user name and password (the login page says that they are wrong)")
    lingma.event_about("wanda", lambda event: event["reason"] == "CredentialsRejected" and event["type"] == "Warning")


@pytest.mark.usefixtures("people")
def test_a_captcha_is_left_to_a_person(lingma: Lingma) -> None:
    account = lingma.account_when("carl", logged_out("HumanVerificationNeeded"), SECONDS)
    said = condition(account, "Ready")
    assert said is not None and holds(account, "Ready", "False")
    assert said["message"].startswith("human verification needed: the login page shows a slider; log in where a person")
    assert re.search(r" \(the login URL is .* old\)$", said["message"])


PROCESSES = """
import pathlib, time
for _ in range(80):
    stats = pathlib.Path("/proc").glob("[0-9]*/stat")
    names = [path.read_text().partition("(")[2].rpartition(")")[0] for path in stats]
    if len(names) == 3:
        break
    time.sleep(0.25)
print(*names)
"""
"""The processes of the container, this one among them, once Chromium has ended; or what is left after 20 seconds."""


@pytest.mark.usefixtures("people")
def test_a_visit_leaves_no_process_behind(lingma: Lingma) -> None:
    lingma.account_ready("walter")
    asked = ("exec", f"{children_name('walter')}-0", "-c", Container.LOGIN, "--", "python3", "-c", PROCESSES)
    left = sorted(lingma.kube.run(*asked).split())
    assert left == ["lingma-login", "python3", "tini"]


def test_the_browser_has_the_password_and_nothing_else(lingma: Lingma, people: tuple[str, ...]) -> None:
    for name in people:
        containers = {each["name"]: each for each in lingma.pod(name)["spec"]["containers"]}
        mounted = {each["name"] for each in containers[Container.LOGIN]["volumeMounts"]}
        assert mounted == {"login", "scratch"}
        assert "login" not in {each["name"] for each in containers[Container.GATEWAY]["volumeMounts"]}
