"""The pod's identity: it has no right and no token, and so it cannot be the namespace's default one."""

from lingma_operator.account import LingmaAccount
from lingma_operator.manifests.metadata import of_account
from lingma_operator.objects import Kind, Obj


def service_account(account: LingmaAccount) -> Obj:
    """The ServiceAccount of the account's pod."""
    return {**of_account(Kind.SERVICE_ACCOUNT, account.identity), "automountServiceAccountToken": False}
