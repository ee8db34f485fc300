"""The captured session: from the gateway to a Secret that the next pod mounts."""

import base64
from dataclasses import replace

import pytest

from lingma_contract.bundle import Bundle, encode, unpack
from lingma_contract.derivation import derive
from lingma_contract.names import Credential
from lingma_operator.gateways import GatewayRefused
from lingma_operator.objects import Kind, Obj
from lingma_operator.observed import CapturedSession
from lingma_operator.session import checked
from lingma_operator.store import Key
from tests.lingma_operator.conftest import World
from tests.lingma_operator.support import PLANTED, account_body, bundle_secret, instance, observed, report
from tests.lingma_operator.test_reconcile import conditions, serve, start_pod

SECRET = Key("team", "alice-gateway-session")
CHANGED = Bundle({"id": b"0123456789abcdef", "user": b"changed"})


def users_digest() -> str:
    return unpack(base64.b64decode(bundle_secret()["data"]["bundle"])).digest


def session(bundle: Bundle = CHANGED, derived_from: str | None = None) -> CapturedSession:
    return CapturedSession(bundle.digest, derived_from, encode(bundle))


def tell(world: World, captured: CapturedSession) -> None:
    """The gateway has captured a session and says so."""
    world.gateways.session = captured
    world.gateways.report = report(replace(instance(), captured=captured.digest))


def secret(world: World) -> Obj | None:
    return world.kubernetes.objects[Kind.SECRET].get(SECRET)


async def test_a_captured_session_is_kept_in_a_secret_that_names_its_origin(world: World) -> None:
    await serve(world)
    tell(world, session(derived_from=users_digest()))
    await world.settle()
    kept = secret(world)
    assert kept is not None
    assert unpack(base64.b64decode(kept["data"]["bundle"])) == CHANGED
    assert base64.b64decode(kept["data"]["derived-from"]).decode() == users_digest()
    assert kept["metadata"]["annotations"] == {
        "lingma.dev/derived-from": users_digest(),
        "lingma.dev/captured": CHANGED.digest,
    }
    assert kept["metadata"]["ownerReferences"][0]["uid"] == "uid-alice"
    master = base64.b64decode(world.kubernetes.get(Kind.SECRET, Key("lingma", "lingma-master"))["data"]["current"])
    assert world.gateways.tokens == [derive(master.strip(), Credential.ADMIN_TOKEN, "uid-alice")]
    assert conditions(world)["Ready"] == ("True", "Serving")


async def test_what_is_kept_is_not_asked_for_again_not_even_by_a_new_operator(world: World) -> None:
    await serve(world)
    tell(world, session(derived_from=users_digest()))
    await world.settle()
    world.writes()
    await world.settle()
    world.restart()
    await world.settle()
    assert world.writes() == []
    assert len(world.gateways.tokens) == 1


async def test_the_next_capture_replaces_it_and_rolls_no_pod(world: World) -> None:
    await serve(world)
    template = world.kubernetes.get(Kind.STATEFUL_SET, Key("team", "alice-gateway"))["spec"]["template"]
    tell(world, session(derived_from=users_digest()))
    await world.settle()
    newer = Bundle({**CHANGED.files, "user": b"changed again"})
    tell(world, session(newer, users_digest()))
    await world.settle()
    kept = secret(world)
    assert kept is not None
    assert unpack(base64.b64decode(kept["data"]["bundle"])) == newer
    assert world.kubernetes.get(Kind.STATEFUL_SET, Key("team", "alice-gateway"))["spec"]["template"] == template


async def test_a_capture_of_a_login_without_a_bundle_has_no_origin(world: World) -> None:
    await world.kubernetes.put(account_body())
    await world.settle()
    await start_pod(world)
    tell(world, session())
    await world.settle()
    kept = secret(world)
    assert kept is not None
    assert kept["metadata"]["annotations"]["lingma.dev/derived-from"] == ""


async def test_what_derives_from_an_older_bundle_of_the_user_is_not_kept(world: World) -> None:
    await serve(world)
    tell(world, session(derived_from="digest-of-an-older-one"))
    await world.settle()
    assert secret(world) is None


async def test_a_gateway_that_gives_none_is_told_and_asked_again(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await serve(world)
    tell(world, session(derived_from=users_digest()))
    world.gateways.session = None
    await world.settle()
    assert secret(world) is None
    assert "session not kept" in caplog.text
    world.gateways.session = session(derived_from=users_digest())
    await world.settle()
    assert secret(world) is not None


async def test_a_secret_of_that_name_that_is_not_ours_is_left_alone(world: World) -> None:
    theirs = bundle_secret(SECRET.name)
    await world.kubernetes.put(theirs)
    await serve(world)
    tell(world, session(derived_from=users_digest()))
    await world.settle()
    assert secret(world) is not None
    assert secret(world)["data"] == theirs["data"]  # type: ignore[index]
    assert world.gateways.tokens == []


@pytest.mark.parametrize(
    "spoilt",
    [
        replace(session(), bundle="no base64 at all"),
        replace(session(), bundle=base64.b64encode(b"no bundle").decode()),
        replace(session(), digest="another"),
    ],
)
def test_what_is_no_bundle_is_refused_without_showing_it(spoilt: CapturedSession) -> None:
    with pytest.raises(GatewayRefused) as caught:
        checked(spoilt, observed())
    assert spoilt.bundle not in str(caught.value)
    assert PLANTED.decode() not in str(caught.value)
    assert spoilt.bundle not in repr(spoilt)
