"""The login page and its callback, over HTTP as a browser without scripts would."""

import html
import re
import urllib.parse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from lingma_sim.loginsite import REFUSALS
from lingma_sim.tickets import CONSUMED
from tests.lingma_sim.support import Client, chosen, log_of, talking
from tests.lingma_sim.test_faults_of_login import KNOWN, report


@asynccontextmanager
async def browsing(tmp_path: Path, **options: Any) -> AsyncIterator[tuple[Client, httpx.AsyncClient]]:
    async with talking(tmp_path, "", **options) as (_, it), httpx.AsyncClient() as browser:
        yield it, browser


async def form_of(it: Client, browser: httpx.AsyncClient) -> tuple[str, dict[str, str]]:
    """The sign-in form of a new login: where it goes and its hidden fields."""
    url = (await it.result("login/generateUrl"))["loginUrl"]
    page = (await browser.get(url)).raise_for_status().text
    frame = re.search(r'<iframe id="alibaba-login-box"[^>]* src="([^"]+)"', page)
    assert frame is not None
    address = html.unescape(frame[1])
    assert urllib.parse.urlsplit(address).hostname != urllib.parse.urlsplit(url).hostname
    # Asked by number: whether this machine's `localhost` is known by name is not what is tested.
    form = (await browser.get(address.replace("localhost", "127.0.0.1"))).raise_for_status().text
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))
    return urllib.parse.urljoin(url, "/login/signin"), hidden


async def sign_in(it: Client, browser: httpx.AsyncClient, name: str, password: str) -> Any:
    action, hidden = await form_of(it, browser)
    return (await browser.post(action, data={**hidden, "loginId": name, "password2": password})).json()


@pytest.mark.parametrize("login_port", [None, 0])
async def test_signing_in_comes_back_to_lingma_and_is_reported(tmp_path: Path, login_port: int | None) -> None:
    async with browsing(tmp_path, login_port=login_port) as (it, browser):
        answer = await sign_in(it, browser, "alice", "anything")
        assert "/auth/callback?state=" in answer["redirect"]
        done = await browser.get(answer["redirect"])
        assert (done.status_code, "login-success" in done.text) == (200, True)
        told = await report(it)
        assert (told["status"], told["id"]) == (2, "alice")
        assert (tmp_path / "cache" / "user").exists()
        assert answer["redirect"].partition("?")[2] not in log_of(tmp_path)


async def test_a_nonce_counts_once(tmp_path: Path) -> None:
    async with browsing(tmp_path) as (it, browser):
        answer = await sign_in(it, browser, "alice", "anything")
        await browser.get(answer["redirect"])
        again = await browser.get(answer["redirect"])
        assert (again.status_code, CONSUMED in again.text, CONSUMED in log_of(tmp_path)) == (400, True, True)


async def test_a_nonce_does_not_live_for_ever(tmp_path: Path) -> None:
    async with browsing(tmp_path, faults=chosen("nonce-life=0")) as (it, browser):
        answer = await sign_in(it, browser, "alice", "anything")
        assert (await browser.get(answer["redirect"])).status_code == 400


async def test_a_callback_that_nobody_began_is_refused(tmp_path: Path) -> None:
    async with talking(tmp_path, "") as (simulator, _), httpx.AsyncClient() as browser:
        made_up = f"http://127.0.0.1:{simulator.http_port}/auth/callback?state=x&auth=y&token=z"
        assert (await browser.get(made_up)).status_code == 400
        assert simulator.login.uid == ""


async def test_a_wrong_password_is_told_by_the_page(tmp_path: Path) -> None:
    async with browsing(tmp_path, accounts=KNOWN) as (it, browser):
        answer = await sign_in(it, browser, "alice", "other")
        assert answer == {"success": False, "message": "wrong account or password"}


@pytest.mark.parametrize("kind", ["captcha", "punish", "sms", "wrong-password", "refused"])
async def test_what_asks_for_a_person_is_passed_by_nobody(tmp_path: Path, kind: str) -> None:
    async with browsing(tmp_path, faults=chosen(f"login-page={kind}")) as (it, browser):
        answer = await sign_in(it, browser, "alice", "anything")
        assert answer == {"success": False, "message": REFUSALS[kind]}
        assert (await it.result("auth/status"))["status"] == 1


async def test_a_form_that_starts_anew_can_be_passed(tmp_path: Path) -> None:
    async with browsing(tmp_path, faults=chosen("login-page=reinitialised")) as (it, browser):
        assert (await sign_in(it, browser, "alice", "anything"))["success"]


async def test_the_punishing_page_has_a_slider(tmp_path: Path) -> None:
    async with talking(tmp_path, "") as (simulator, _), httpx.AsyncClient() as browser:
        page = await browser.get(f"http://127.0.0.1:{simulator.http_port}/_____tmd_____/punish?x5secdata=1")
        assert "nc-container" in page.text


async def test_of_several_organizations_one_is_chosen(tmp_path: Path) -> None:
    async with browsing(tmp_path, accounts=KNOWN) as (it, browser):
        answer = await sign_in(it, browser, "alice", "pw")
        page = (await browser.get(answer["redirect"])).text
        assert (await it.result("auth/status"))["status"] == 1
        links = [html.unescape(link) for link in re.findall(r'class="organization" href="([^"]+)"', page)]
        assert ["organizationId=o1" in links[0], "organizationId=o2" in links[1]] == [True, True]
        assert (await browser.get(links[1].replace("o2", "o3"))).status_code == 400
        assert "login-success" in (await browser.get(links[1])).text
        told = await report(it)
        assert (told["id"], told["orgId"], told["orgName"]) == ("u1", "o2", "Two")


async def test_a_client_may_bring_the_callback_itself(tmp_path: Path) -> None:
    async with browsing(tmp_path) as (it, browser):
        action, hidden = await form_of(it, browser)
        answer = (await browser.post(action, data={**hidden, "loginId": "alice", "password2": "x"})).json()
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(answer["redirect"]).query))
        params = {"nonce": hidden["nonce"], "auth": query["auth"], "tokenString": query["token"]}
        assert (await it.result("login/auth_callback", params))["success"]
        assert (await report(it))["id"] == "alice"
        refused = await it.result("login/auth_callback", params)
        assert (refused["success"], refused["errorMsg"]) == (False, CONSUMED)


async def test_a_strange_port_in_the_form_leads_home(tmp_path: Path) -> None:
    async with talking(tmp_path, "") as (simulator, it), httpx.AsyncClient() as browser:
        action, hidden = await form_of(it, browser)
        fields = {**hidden, "port": "80@example.com", "loginId": "alice", "password2": "x"}
        answer = (await browser.post(action, data=fields)).json()
        assert answer["redirect"].startswith(f"http://127.0.0.1:{simulator.http_port}/auth/callback?")


async def test_the_site_has_no_other_pages(tmp_path: Path) -> None:
    async with talking(tmp_path, "", login_port=0) as (simulator, _), httpx.AsyncClient() as browser:
        for path in ("/", "/auth/callback", "/login/signin"):
            assert (await browser.get(f"http://127.0.0.1:{simulator.login_port}{path}")).status_code == 404
