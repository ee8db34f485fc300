"""`auth/login` with a personal token or an access key, and the other calls of a login: params and results. Pure.

`auth/login` and its fields are from one decompiled plugin (TC; medium confidence). `loginType` is
`personal_token` or `ak_sk` by that plugin's LoginModeEnum (medium); a reading of the 2.11 binary has other values, so a
refusal here is not taken as proof that the credential is wrong.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from lingma_gateway.login.credentials import Credentials
from lingma_gateway.login.plan import Failed, Rejected, Way
from lingma_gateway.login.state import Tokens

LOGIN = "auth/login"
STATUS = "auth/status"
REFRESH = "auth/refreshToken"
GENERATE_URL = "login/generateUrl"
GET_ENDPOINT = "config/getEndpoint"
UPDATE_ENDPOINT = "config/updateEndpoint"
TOKEN_UPDATE = "auth/syncTokenUpdate"
"""Push that may follow a refresh (medium)."""

_URL_KEYS = ("loginUrl", "url", "login_url")
"""The first is of live captures (high); the others were accepted by the earlier gateway."""


def login_params(way: Way, credentials: Credentials, organization_id: str = "") -> dict[str, Any]:
    """Params of `auth/login`; only the fields that the way uses, the others are empty by the server's own zero value.

    `organization_id`: of an account with several, which one is meant (`orgId`: medium, that plugin's field).

    Raises:
        ValueError: the way does not go through `auth/login`.
    """
    where = {"orgId": organization_id} if organization_id else {}
    if way is Way.PERSONAL_TOKEN:
        return {"loginType": way.value, "personalToken": credentials.personal_token, **where}
    if way is Way.ACCESS_KEY:
        keys = {"accessKey": credentials.access_key, "secretKey": credentials.secret_key}
        return {"loginType": way.value, **keys, **where}
    raise ValueError("a browser does not log in by auth/login")


def refusal(result: object) -> Rejected | Failed | None:
    """What a result of `auth/login` says against the login; None where it was accepted."""
    if not isinstance(result, Mapping):
        return Failed("Lingma's answer to auth/login is no object")
    if result.get("success") is True:
        return None
    code = _code(result)
    return Rejected(f"Lingma refused auth/login{code}", certain=False)


def login_url(result: object) -> str | None:
    """The address in a result of `login/generateUrl`; None where there is none that a browser can open."""
    candidates = [result] if isinstance(result, str) else []
    if isinstance(result, Mapping):
        candidates = [value for key in _URL_KEYS if isinstance(value := result.get(key), str)]
    return next((url for url in candidates if urlsplit(url).scheme in ("http", "https")), None)


def endpoint_differs(result: object, wanted: str) -> bool:
    """Whether a result of `config/getEndpoint` is another endpoint than `wanted`."""
    current = result.get("endpoint") if isinstance(result, Mapping) else None
    return not isinstance(current, str) or current.rstrip("/") != wanted.rstrip("/")


def refresh_params(tokens: Tokens) -> dict[str, Any]:
    """Params of `auth/refreshToken` (medium: one decompiled plugin)."""
    return {
        "securityOauthToken": tokens.security_oauth_token,
        "refreshToken": tokens.refresh_token,
        "tokenExpireTime": tokens.expires_ms,
    }


def refresh_refusal(result: object) -> str | None:
    """Why a result of `auth/refreshToken` is no success; None where it is one."""
    if not isinstance(result, Mapping):
        return "the answer is no object"
    return None if result.get("success") is True else f"refused{_code(result)}"


def _code(result: Mapping[str, Any]) -> str:
    """The error code of a refusal. Not its message, which is free text of a service that was sent a secret."""
    code = result.get("errorCode")
    return f" ({code})" if isinstance(code, str | int) and 0 < len(str(code)) <= 40 and str(code).isalnum() else ""
