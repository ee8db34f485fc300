import os
from pathlib import Path

import pytest
from starlette.datastructures import Headers

from lingma_contract import ids
from lingma_contract.apikeys import ApiKeys
from lingma_contract.derivation import credential_lines
from lingma_contract.ids import Kind
from lingma_contract.names import Credential
from lingma_gateway.errors import Unauthenticated
from lingma_gateway.identity import ANONYMOUS, SidecarIdentity, StandaloneIdentity

OLD, NEW = b"o" * 32, b"n" * 32


def value(master: bytes, credential: Credential) -> str:
    return credential_lines([master], credential, "uid-1").strip()


def mounted(folder: Path, *masters: bytes, at_ns: int = 1) -> None:
    """The Secret's files as the kubelet swaps them: each is another file behind the same name."""
    for credential in Credential:
        temporary = folder / f"..{credential.value}"
        temporary.write_text(credential_lines(masters, credential, "uid-1"))
        # As if within one tick of the clock: what changed must be seen all the same.
        os.utime(temporary, ns=(at_ns, at_ns))
        temporary.replace(folder / credential.value)


def bearer(token: str, **more: str) -> Headers:
    return Headers({"authorization": f"Bearer {token}", **more})


def router(master: bytes, key_id: str = "team-a") -> Headers:
    return bearer(value(master, Credential.ROUTER_TOKEN), **{"x-lingma-key-id": key_id})


@pytest.fixture
def sidecar(tmp_path: Path) -> SidecarIdentity:
    mounted(tmp_path, OLD)
    return SidecarIdentity(tmp_path, "uid-1")


def test_the_router_names_the_clients_key(sidecar: SidecarIdentity) -> None:
    assert sidecar.key_id(router(OLD)) == "team-a"
    assert sidecar.key_id(Headers({"x-api-key": value(OLD, Credential.ROUTER_TOKEN)})) == ANONYMOUS


@pytest.mark.parametrize(
    "headers",
    [
        Headers({"x-lingma-key-id": "team-a"}),
        router(NEW),
        bearer(value(OLD, Credential.ADMIN_TOKEN)),
        bearer("\xff"),
    ],
)
def test_whoever_is_not_the_router_is_told_to_call_it(sidecar: SidecarIdentity, headers: Headers) -> None:
    with pytest.raises(Unauthenticated, match="call the routing Service"):
        sidecar.key_id(headers)


def test_only_the_admin_token_is_the_admins(sidecar: SidecarIdentity) -> None:
    assert sidecar.admin(bearer(value(OLD, Credential.ADMIN_TOKEN)))
    assert not sidecar.admin(bearer(value(OLD, Credential.ROUTER_TOKEN)))
    assert not sidecar.admin(Headers({}))


def test_ids_are_signed_with_the_accounts_current_key(sidecar: SidecarIdentity, tmp_path: Path) -> None:
    mounted(tmp_path, NEW, OLD)
    parsed = ids.parse(sidecar.mint(Kind.CHAT_COMPLETION, "team-a"))
    assert parsed is not None
    assert parsed.account_hash == ids.account_hash("uid-1")
    assert ids.verify(parsed, [value(NEW, Credential.ACCOUNT_KEY).encode()], "team-a")


def test_a_rotated_token_is_picked_up_and_the_previous_one_holds_until_it_is_gone(
    sidecar: SidecarIdentity, tmp_path: Path
) -> None:
    mounted(tmp_path, NEW, OLD)
    assert sidecar.key_id(router(NEW)) == sidecar.key_id(router(OLD)) == "team-a"
    mounted(tmp_path, NEW)
    assert sidecar.key_id(router(NEW)) == "team-a"
    with pytest.raises(Unauthenticated):
        sidecar.key_id(router(OLD))


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"])
def test_a_credential_that_cannot_be_read_leaves_the_last_good_one(
    sidecar: SidecarIdentity, tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes | None
) -> None:
    path = tmp_path / Credential.ROUTER_TOKEN.value
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert sidecar.key_id(router(OLD)) == "team-a"
    assert [record.getMessage() for record in caplog.records] == ["credential_unreadable"]
    mounted(tmp_path, NEW, at_ns=2)
    assert sidecar.key_id(router(NEW)) == "team-a"


@pytest.mark.parametrize("credential", Credential)
def test_a_sidecar_does_not_start_without_its_credentials(tmp_path: Path, credential: Credential) -> None:
    mounted(tmp_path, OLD)
    (tmp_path / credential.value).write_text("\n")
    with pytest.raises(ValueError, match=f"{credential.value} is empty"):
        SidecarIdentity(tmp_path, "uid-1")
    (tmp_path / credential.value).unlink()
    with pytest.raises(FileNotFoundError, match=credential.value):
        SidecarIdentity(tmp_path, "uid-1")


def standalone(allow_anonymous: bool = False) -> StandaloneIdentity:
    return StandaloneIdentity.create(ApiKeys.from_setting("ci=sk-1"), allow_anonymous, "uid-1")


def test_alone_the_clients_own_key_counts() -> None:
    assert standalone().key_id(bearer("sk-1")) == "ci"
    assert standalone(allow_anonymous=True).key_id(bearer("sk-1")) == "ci"


def test_alone_a_missing_key_and_a_wrong_one_are_told_apart() -> None:
    with pytest.raises(Unauthenticated, match="no API key: send"):
        standalone().key_id(Headers({}))
    with pytest.raises(Unauthenticated, match="is not valid") as caught:
        standalone().key_id(bearer("sk-2"))
    assert "sk-2" not in str(caught.value)


@pytest.mark.parametrize("headers", [Headers({}), bearer("sk-2")])
def test_alone_anybody_may_call_where_that_is_allowed(headers: Headers) -> None:
    assert standalone(allow_anonymous=True).key_id(headers) == ANONYMOUS


def test_alone_the_api_keys_are_the_admins_until_there_is_a_token() -> None:
    assert standalone(allow_anonymous=True).admin(bearer("sk-1"))
    assert not standalone(allow_anonymous=True).admin(bearer("sk-other"))
    assert not standalone(allow_anonymous=True).admin(Headers({}))


def test_alone_with_an_admin_token_only_that_is_the_admins() -> None:
    identity = StandaloneIdentity.create(ApiKeys.from_setting("sk-1"), True, "uid", "sk-admin")
    assert identity.admin(bearer("sk-admin"))
    assert not identity.admin(bearer("sk-1"))
    assert "sk-admin" not in repr(identity)


def test_alone_ids_are_signed_with_a_key_of_this_process() -> None:
    one, other = standalone(), standalone()
    parsed = ids.parse(one.mint(Kind.MESSAGE, "ci"))
    assert parsed is not None
    assert ids.verify(parsed, [one.account_key], "ci")
    assert not ids.verify(parsed, [other.account_key], "ci")


def test_keys_are_not_shown_when_printed() -> None:
    assert "account_key" not in repr(standalone())
