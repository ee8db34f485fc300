"""What the router derives from the master secrets for each account, and the proof that an id is ours. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from lingma_contract import derivation, ids
from lingma_contract.names import Credential


@dataclass(frozen=True, slots=True)
class AccountCredentials:
    """One account's values, the current master's first. Shows nothing when printed."""

    router_tokens: tuple[str, ...]
    """What the account's gateway takes as proof that the router calls."""
    signing_keys: tuple[bytes, ...]
    """What signs and proves ids: the bytes of the derived text, as it stands in the account's Secret."""

    def __repr__(self) -> str:
        return "AccountCredentials(…)"


class Credentials:
    """The credentials of all accounts, derived when first asked for."""

    def __init__(self, masters: tuple[bytes, ...]) -> None:
        """`masters`: the master secrets in use, the current one first."""
        self._masters = masters
        self._accounts: dict[str, AccountCredentials] = {}

    def __repr__(self) -> str:
        return f"Credentials(of {len(self._masters)} masters)"

    def of(self, account_uid: str) -> AccountCredentials:
        """The account's credentials."""
        found = self._accounts.get(account_uid)
        if found is None:
            found = self._accounts[account_uid] = AccountCredentials(
                router_tokens=self._derived(Credential.ROUTER_TOKEN, account_uid),
                signing_keys=tuple(key.encode() for key in self._derived(Credential.ACCOUNT_KEY, account_uid)),
            )
        return found

    def mint_token(self, account_uid: str, key_id: str) -> str:
        """A new affinity token that brings the client of `key_id` back to the account."""
        return ids.mint(ids.Kind.AFFINITY, account_uid, self.of(account_uid).signing_keys[0], key_id)

    def resolve(self, value: str, by_hash: Mapping[bytes, str], key_id: str) -> tuple[ids.Kind, str] | None:
        """Kind and account UID of an id that one of the accounts `by_hash` signed for `key_id`; else None."""
        parsed = ids.parse(value)
        uid = by_hash.get(parsed.account_hash) if parsed is not None else None
        if parsed is None or uid is None or not ids.verify(parsed, self.of(uid).signing_keys, key_id):
            return None
        return parsed.kind, uid

    def _derived(self, purpose: Credential, account_uid: str) -> tuple[str, ...]:
        return tuple(derivation.derive(master, purpose, account_uid) for master in self._masters)
