"""What the gateway needs to know: tokens and keys derived for this account alone."""

import base64

from lingma_operator.account import LingmaAccount
from lingma_operator.manifests.metadata import of_account
from lingma_operator.objects import Kind, Obj


def secret(account: LingmaAccount, credentials: dict[str, str]) -> Obj:
    """Secret `<account>-gateway`."""
    return {
        **of_account(Kind.SECRET, account.identity),
        "type": "Opaque",
        # `data`, not `stringData`: what is applied can then be compared with what the API server holds.
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in credentials.items()},
    }
