"""Logins by token, expiry, refreshing, and what auth/status may say, over a real WebSocket."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from lingma_sim import accounts
from lingma_sim.login import Status
from lingma_sim.workdir import WorkDir
from tests.lingma_sim.support import Client, ask, chosen, client, controlled, log_in, log_of, running, talking

KNOWN = accounts.parse(
    json.dumps(
        [
            {
                "uid": "u1",
                "username": "alice",
                "password": "pw",
                "personalToken": "tok",
                "accessKey": "AK",
                "secretKey": "SK",
                "organizations": [{"orgId": "o1", "orgName": "One"}, {"orgId": "o2", "orgName": "Two"}],
            }
        ]
    )
)


async def report(it: Client) -> Any:
    return (await it.until("auth/report"))[-1]["params"]


@pytest.mark.parametrize("status", range(1, 8))
async def test_every_status_can_be_had_and_only_2_is_usable(tmp_path: Path, status: int) -> None:
    async with talking(tmp_path, faults=chosen(f"status={status}")) as (_, it):
        told = await it.result("auth/status")
        assert (told["status"], bool(told["id"])) == (status, status != 1)
        assert bool(await it.result("config/queryModels")) == (status == 2)
        assert (await it.result("chat/ask", ask("hello")))["isSuccess"] == (status == 2)


@pytest.mark.parametrize("whitelist", range(1, 6))
async def test_every_whitelist_state_can_be_had_and_only_3_is_usable(tmp_path: Path, whitelist: int) -> None:
    async with talking(tmp_path, faults=chosen(f"whitelist={whitelist}")) as (_, it):
        assert (await it.result("auth/status"))["whitelist"] == whitelist
        assert bool(await it.result("config/queryModels")) == (whitelist == 3)
        refused = await it.result("chat/ask", ask("hello"))
        assert (refused["isSuccess"], refused["errorCode"]) == ((True, "") if whitelist == 3 else (False, "403"))


async def test_a_status_switched_on_while_running_is_reported(tmp_path: Path) -> None:
    async with controlled(tmp_path) as (_, it, control):
        await control.post("/faults", set={"status": 6, "slow-first": 1})
        assert (await report(it))["status"] == 6
        await control.post("/faults", set=["slow-first=2"])
        await control.post("/faults", clear=["status"])
        assert (await report(it))["status"] == 2


async def test_there_may_be_no_models_though_logged_in(tmp_path: Path) -> None:
    async with talking(tmp_path, faults=chosen("no-models*1")) as (_, it):
        assert await it.result("config/queryModels") == {}
        assert await it.result("config/queryModels") != {}


@pytest.mark.parametrize(
    "params",
    [
        {"loginType": "personal_token", "personalToken": "pat-alice"},
        {"loginType": "ak_sk", "accessKey": "ak-alice", "secretKey": "sk-alice"},
    ],
)
async def test_a_token_logs_in_at_once_and_is_kept_on_disk(tmp_path: Path, params: dict[str, str]) -> None:
    async with talking(tmp_path, "") as (_, it):
        assert await it.result("auth/login", params) == {"success": True, "url": ""}
        assert (await report(it))["status"] == 2
        assert (await it.turn("@sim whoami")).answer == "alice"
    async with running(tmp_path) as simulator, client(simulator.socket_port) as it:
        assert (await it.result("auth/status"))["id"] == "alice"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"loginType": "personal_token", "personalToken": "pat-u1"}, "401"),
        ({"loginType": "ak_sk", "accessKey": "AK", "secretKey": "no"}, "401"),
        ({"loginType": "personal_token", "personalToken": "tok", "orgId": "o3"}, "403"),
        ({"loginType": "name_only", "userName": "alice"}, "400"),
        ({"loginType": "dedicated"}, "400"),
    ],
)
async def test_a_login_that_is_not_known_is_refused(tmp_path: Path, params: dict[str, str], code: str) -> None:
    async with talking(tmp_path, "", accounts=KNOWN) as (simulator, it):
        refused = await it.result("auth/login", params)
        assert (refused["success"], refused["errorCode"]) == (False, code)
        assert simulator.login.status is Status.NOT_LOGIN


async def test_a_right_token_may_be_refused(tmp_path: Path) -> None:
    async with talking(tmp_path, "", faults=chosen("token-login-refused*1")) as (_, it):
        params = {"loginType": "personal_token", "personalToken": "pat-alice"}
        assert not (await it.result("auth/login", params))["success"]
        assert (await it.result("auth/login", params))["success"]


async def test_a_token_login_may_name_its_organization_and_grants_are_listed(tmp_path: Path) -> None:
    async with talking(tmp_path, "", accounts=KNOWN) as (_, it):
        assert await it.result("auth/grantInfosWrap") == []
        await it.result("auth/login", {"loginType": "personal_token", "personalToken": "tok", "orgId": "o2"})
        told = await report(it)
        assert (told["id"], told["orgId"], told["orgName"]) == ("u1", "o2", "Two")
        grants = await it.result("auth/grantInfosWrap")
        assert [(grant["grantType"], grant["orgId"], grant["userId"]) for grant in grants] == [
            ("personal", "", "u1"),
            ("organization", "o1", "u1"),
            ("organization", "o2", "u1"),
        ]


@pytest.mark.parametrize("kind", ["aliyun", ""])
async def test_a_login_of_the_public_edition_gives_an_address(tmp_path: Path, kind: str) -> None:
    async with talking(tmp_path, "") as (simulator, it):
        made = await it.result("auth/login", {"loginType": kind})
        assert made["success"]
        assert made["url"].startswith(f"http://127.0.0.1:{simulator.http_port}/lingma/login?")


async def test_the_dedicated_edition_needs_its_endpoint_first(tmp_path: Path) -> None:
    async with talking(tmp_path, "") as (_, it):
        await it.result("config/updateEndpoint", {"endpoint": "https://lingma.example/"})
        await it.until("config/changeEndpoint")
        made = await it.result("auth/login", {"loginType": "dedicated", "loginDedicatedType": "dedicated"})
        assert made["url"].startswith("https://lingma.example/lingma/login?")
        for kind in ("", "standards", "dedicated"):
            made = await it.result("login/generateUrl", {"loginDedicatedType": kind})
            assert made["success"]
        assert not (await it.result("login/generateUrl", {"loginDedicatedType": "odd"}))["success"]


async def test_a_login_may_be_brought_along(tmp_path: Path) -> None:
    async with talking(tmp_path, "") as (simulator, it):
        assert await it.result("auth/device_login", {"userId": "alice"}) == {"success": False}
        assert await it.result("auth/device_login", {"userId": "alice", "token": "t"}) == {"success": True}
        assert simulator.login.uid == "alice"


async def test_a_refresh_rotates_the_refresh_token_and_the_old_one_is_refused(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, it):
        old = await it.result("auth/status")
        params = {"securityOauthToken": old["token"], "refreshToken": old["refreshToken"], "tokenExpireTime": 0}
        refreshed = await it.result("auth/refreshToken", params)
        assert (refreshed["success"], refreshed["uid"], refreshed["errorCode"]) == (True, "alice", "")
        assert refreshed["tokenExpireTime"] >= old["expireTime"]
        pushed = {push["method"]: push["params"] for push in [await it.next(), await it.next()]}
        new = await it.result("auth/status")
        assert new["token"] != old["token"]
        assert new["refreshToken"] != old["refreshToken"]
        assert pushed["auth/syncTokenUpdate"]["refreshToken"] == new["refreshToken"]
        assert pushed["auth/report"]["refreshToken"] == new["refreshToken"]
        refused = await it.result("auth/refreshToken", params)
        assert (refused["success"], refused["errorCode"], refused["errorMessage"]) == (
            False,
            "401",
            "ExpiredTokenError",
        )
    async with running(tmp_path) as simulator, client(simulator.socket_port) as it:
        assert (await it.result("auth/status"))["refreshToken"] == new["refreshToken"]


async def test_a_refresh_may_keep_the_refresh_token_be_refused_or_fail(tmp_path: Path) -> None:
    async with talking(tmp_path) as (simulator, it):
        token = (await it.result("auth/status"))["refreshToken"]
        simulator.faults.set(chosen("refresh=kept"))
        assert (await it.result("auth/refreshToken", {"refreshToken": token}))["success"]
        await it.until("auth/syncTokenUpdate")
        assert (await it.result("auth/status"))["refreshToken"] == token
        simulator.faults.set(chosen("refresh=refused"))
        assert not (await it.result("auth/refreshToken", {"refreshToken": token}))["success"]
        simulator.faults.set(chosen("refresh=error"))
        assert (await it.request("auth/refreshToken", {"refreshToken": token}))["error"]["code"] == -32603


async def test_nobody_refreshes_when_nobody_is_logged_in(tmp_path: Path) -> None:
    async with talking(tmp_path, "") as (simulator, it):
        simulator.rotate()
        simulator.login.expire()
        assert not (await it.result("auth/refreshToken", {"refreshToken": ""}))["success"]


async def test_an_expired_login_is_refreshed_into_a_usable_one(tmp_path: Path) -> None:
    log_in(tmp_path, "alice", -1)
    async with running(tmp_path) as simulator, client(simulator.socket_port) as it:
        token = (await it.result("auth/status"))["refreshToken"]
        assert (await it.result("auth/refreshToken", {"refreshToken": token}))["success"]
        assert (await it.until("auth/report"))[-1]["params"]["status"] == 2


async def test_tokens_may_be_short_lived(tmp_path: Path) -> None:
    async with talking(tmp_path, "", faults=chosen("token-life=0.3")) as (_, it):
        await it.result("auth/login", {"loginType": "personal_token", "personalToken": "pat-alice"})
        assert [(await report(it))["status"] for _ in range(2)] == [2, 3]


async def test_the_login_may_end_change_and_vanish_at_a_word(tmp_path: Path) -> None:
    async with controlled(tmp_path) as (_, it, control):
        await control.post("/actions/expire")
        assert (await report(it))["status"] == 3
        await control.post("/actions/rotate")
        assert (await it.until("auth/syncTokenUpdate"))[0]["params"]["status"] == 2
        await control.post("/actions/vanish")
        assert (await report(it))["status"] == 1
        assert not WorkDir(tmp_path).user.exists()
        assert "Deleted user info file." in log_of(tmp_path)
        await control.post("/actions/login", uid="bob")
        assert (await report(it))["id"] == "bob"
        await control.post("/actions/logout")
        assert (await report(it))["status"] == 1
        await control.post("/actions/report")
        assert (await report(it))["status"] == 1


async def test_the_login_may_vanish_by_itself(tmp_path: Path) -> None:
    began = time.monotonic()
    async with talking(tmp_path, faults=chosen("user-vanishes=0.2")) as (_, it):
        assert (await report(it))["status"] == 1
        assert time.monotonic() - began >= 0.2
        assert not WorkDir(tmp_path).user.exists()
