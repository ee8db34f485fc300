"""What one account may know, derived from the master secret: one account's namespace can forge nothing for another."""

import base64
import hmac
from collections.abc import Mapping, Sequence

from lingma_contract.names import Credential, MasterKey

MASTER_BYTES = 32


def derive(master: bytes, purpose: Credential, account_uid: str) -> str:
    """The account's value for `purpose`: HMAC-SHA256 over purpose and account UID, 43 characters of base64url."""
    message = f"lingma.dev/v1/{purpose.value}/{account_uid}".encode()
    return base64.urlsafe_b64encode(hmac.digest(master, message, "sha256")).decode().rstrip("=")


def masters(files: Mapping[str, bytes]) -> tuple[bytes, ...]:
    """The master secrets in use, the current one first, from the files of the master Secret.

    Raises:
        ValueError: there is no current one, or it is shorter than 32 bytes.
    """
    found = tuple(files[key].strip() for key in (MasterKey.CURRENT, MasterKey.PREVIOUS) if files.get(key, b"").strip())
    if not files.get(MasterKey.CURRENT, b"").strip():
        raise ValueError(f"the master Secret has no key {MasterKey.CURRENT.value!r}")
    if any(len(master) < MASTER_BYTES for master in found):
        raise ValueError(f"a master secret is shorter than {MASTER_BYTES} bytes")
    return found


def credential_lines(master_keys: Sequence[bytes], purpose: Credential, account_uid: str) -> str:
    """The content of one key of Secret `<account>-gateway`: a value for each master, the current one first."""
    return "".join(derive(master, purpose, account_uid) + "\n" for master in master_keys)


def read_lines(content: str) -> tuple[str, ...]:
    """The values of one key of Secret `<account>-gateway`, the current one first."""
    return tuple(line for line in (raw.strip() for raw in content.splitlines()) if line)
