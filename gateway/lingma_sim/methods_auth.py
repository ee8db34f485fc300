"""The methods of the login: auth/* and login/*."""

import hashlib
import secrets
import time
import urllib.parse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lingma_sim.accounts import Person
from lingma_sim.login import Status
from lingma_sim.loginsite import nonce_life
from lingma_sim.rpc import INTERNAL_ERROR, RpcError, text_of
from lingma_sim.tickets import TicketRefused

if TYPE_CHECKING:
    from lingma_sim.server import Simulator

Params = Mapping[str, Any]

DEDICATED_TYPES = ("", "standards", "dedicated")


def auth_state(simulator: "Simulator") -> dict[str, Any]:
    """The login as auth/status answers and auth/report pushes it."""
    login = simulator.login
    status = login.status
    shown = login.account if status is not Status.NOT_LOGIN else None
    names = dict(simulator.accounts.organizations(shown.uid)) if shown else {}
    return {
        "messageId": secrets.token_hex(8),
        "status": int(status),
        "name": shown.name if shown else "",
        "id": shown.uid if shown else "",
        "accountId": shown.aid if shown else "",
        "token": shown.security_oauth_token if shown else "",
        "refreshToken": shown.refresh_token if shown else "",
        "expireTime": shown.expire_time if shown else 0,
        "quota": 0,
        "whitelist": int(login.whitelist),
        "orgId": shown.organization_id if shown else "",
        "orgName": names.get(shown.organization_id, "") if shown else "",
        "yxUid": "",
        "avatarUrl": "",
        "email": "",
        "userType": shown.user_type if shown else "",
        "cloudType": "cloud",
        "privacyPolicyAgreed": shown is not None,
    }


def status(simulator: "Simulator", _: Params) -> Any:
    """Who is logged in."""
    return auth_state(simulator)


def logout(simulator: "Simulator", _: Params) -> Any:
    """Log out."""
    simulator.login.logout()
    return {"success": True}


def generate_url(simulator: "Simulator", params: Params) -> Any:
    """Begin a login on the login page: its address, with a nonce that counts once."""
    if text_of(params, "loginDedicatedType") not in DEDICATED_TYPES:
        return {**_login_url(simulator), "loginUrl": "", "success": False, "errorMsg": "unknown loginDedicatedType"}
    return _login_url(simulator)


def _login_url(simulator: "Simulator") -> dict[str, Any]:
    ticket = simulator.tickets.open(time.time())
    query = urllib.parse.urlencode(
        {
            "nonce": ticket.nonce,
            "port": simulator.http_port,
            "state": ticket.state,
            "challenge": ticket.challenge,
            "challenge_method": "S256",
            # A digest: the machine id itself decrypts cache/user.
            "machine_id": hashlib.sha256(simulator.login.machine_id).hexdigest()[:32],
        }
    )
    base = simulator.endpoint.rstrip("/") or f"http://127.0.0.1:{simulator.login_port}"
    return {
        "loginUrl": f"{base}/lingma/login?{query}",
        "nonce": ticket.nonce,
        "verifier": ticket.verifier,
        "challenge": ticket.challenge,
        "challengeMethod": "S256",
        "success": True,
        "errorCode": "",
        "errorMsg": "",
    }


def auth_callback(simulator: "Simulator", params: Params) -> Any:
    """The callback, brought by the client instead of the browser."""
    try:
        person = simulator.tickets.redeem(
            text_of(params, "auth"), nonce=text_of(params, "nonce"), now=time.time(), life=nonce_life(simulator)
        )
    except TicketRefused as refused:
        simulator.journal.log(str(refused))
        return {"success": False, "errorCode": "400", "errorMsg": str(refused)}
    simulator.log_in(person.uid, _first_organization(person))
    return {"success": True, "errorCode": "", "errorMsg": ""}


def login(simulator: "Simulator", params: Params) -> Any:
    """Log in without a browser, or begin a login with one."""
    match text_of(params, "loginType"):
        case "personal_token":
            person = simulator.accounts.by_personal_token(text_of(params, "personalToken"))
            return _by_secret(simulator, person, params, "InvalidTokenError")
        case "ak_sk":
            keys = text_of(params, "accessKey"), text_of(params, "secretKey")
            return _by_secret(simulator, simulator.accounts.by_key(*keys), params, "InvalidAccessKey")
        case "dedicated":
            if not simulator.endpoint:
                return _refused("400", "the endpoint of the dedicated edition is not set")
            return {"success": True, "url": _login_url(simulator)["loginUrl"]}
        case "aliyun" | "":
            return {"success": True, "url": _login_url(simulator)["loginUrl"]}
        case other:
            return _refused("400", f"login type {other} is not supported")


def _by_secret(simulator: "Simulator", person: Person | None, params: Params, why: str) -> Any:
    if person is None or simulator.faults.take("token-login-refused") is not None:
        return _refused("401", why)
    org_id = text_of(params, "orgId")
    if org_id and org_id not in dict(person.organizations):
        return _refused("403", "Forbidden.InvalidUser.UserNotInCurrentOrganization")
    simulator.log_in(person.uid, org_id or _first_organization(person))
    return {"success": True, "url": ""}


def _refused(code: str, message: str) -> dict[str, Any]:
    return {"success": False, "url": "", "errorCode": code, "errorMsg": message}


def _first_organization(person: Person) -> str:
    return person.organizations[0][0] if person.organizations else ""


def device_login(simulator: "Simulator", params: Params) -> Any:
    """Take a login that the client brings along. Its tokens are replaced by ones of ours."""
    uid = text_of(params, "userId")
    if not uid or not text_of(params, "token"):
        return {"success": False}
    simulator.log_in(uid)
    return {"success": True}


def refresh_token(simulator: "Simulator", params: Params) -> Any:
    """New tokens for a refresh token, which counts once: the answer tells no token, auth/syncTokenUpdate does."""
    fault = simulator.faults.take("refresh")
    if fault == "error":
        raise RpcError(INTERNAL_ERROR, "refresh token error: HTTP status 500")
    account = simulator.login.account
    if account is None or fault == "refused" or text_of(params, "refreshToken") != account.refresh_token:
        return _refreshed(simulator, error_code="401", error_message="ExpiredTokenError")
    simulator.rotate(keep_refresh_token=fault == "kept")
    return _refreshed(simulator)


def _refreshed(simulator: "Simulator", *, error_code: str = "", error_message: str = "") -> dict[str, Any]:
    account = simulator.login.account
    return {
        "success": not error_code,
        "uid": account.uid if account else "",
        "name": account.name if account else "",
        "tokenExpireTime": account.expire_time if account else 0,
        "errorCode": error_code,
        "errorMessage": error_message,
    }


def grant_infos(simulator: "Simulator", _: Params) -> Any:
    """What the account may be used as: itself, and a member of each organization."""
    account = simulator.login.account
    if account is None:
        return []
    user = {"userId": account.uid, "userName": account.name}
    return [
        {"grantType": "personal", "orgId": "", "orgName": "", **user},
        *(
            {"grantType": "organization", "orgId": org_id, "orgName": name, **user}
            for org_id, name in simulator.accounts.organizations(account.uid)
        ),
    ]
