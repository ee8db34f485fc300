"""What one account may know, and the keyed hash by which a changed session bundle is noticed. Pure."""

import hmac
from collections.abc import Sequence

from lingma_contract.derivation import credential_lines, derive
from lingma_contract.names import Credential


def contents(masters: Sequence[bytes], account_uid: str) -> dict[str, str]:
    """The keys of Secret `<account>-gateway`."""
    return {purpose.value: credential_lines(masters, purpose, account_uid) for purpose in Credential}


def admin_token(masters: Sequence[bytes], account_uid: str) -> str:
    """What the account's gateway takes on its admin routes."""
    return derive(masters[0], Credential.ADMIN_TOKEN, account_uid)


def session_hash(masters: Sequence[bytes], account_uid: str, bundle_digest: str, live: str | None) -> str:
    """Annotation `lingma.dev/session-hash` for the bundle: no one without the master can test a guess against it.

    `live` is the annotation as it stands. It is kept while it names the same bundle by any master in use, because
    a new master alone must not restart every pod.
    """
    named = [
        hmac.digest(
            derive(master, Credential.ACCOUNT_KEY, account_uid).encode(),
            f"lingma.dev/session-hash\0{bundle_digest}".encode(),
            "sha256",
        ).hex()[:32]
        for master in masters
    ]
    return live if live is not None and live in named else named[0]
