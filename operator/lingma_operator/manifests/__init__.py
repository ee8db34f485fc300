"""Builders of an account's objects: data in, data out, one module a kind."""

from lingma_operator.account import LingmaAccount
from lingma_operator.manifests.networkpolicy import network_policy
from lingma_operator.manifests.secret import secret
from lingma_operator.manifests.service import service
from lingma_operator.manifests.serviceaccount import service_account
from lingma_operator.manifests.statefulset import stateful_set
from lingma_operator.objects import Obj, stamped
from lingma_operator.settings import Settings


def children(
    account: LingmaAccount, settings: Settings, credentials: dict[str, str], session_hash: str | None
) -> tuple[Obj, ...]:
    """Every object of the account, in the order in which they are applied.

    Raises:
        ImageMissing: nothing says which image holds Lingma, or the browser.
    """
    return tuple(
        stamped(child)
        for child in (
            service_account(account),
            secret(account, credentials),
            service(account),
            network_policy(account, settings),
            stateful_set(account, settings, session_hash),
        )
    )
