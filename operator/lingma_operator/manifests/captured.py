"""The session that was captured from the account's pod."""

import base64

from lingma_contract.names import BUNDLE_KEY, DERIVED_FROM_KEY, Annotation, captured_secret_name
from lingma_operator.account import LingmaAccount
from lingma_operator.manifests.metadata import of_account
from lingma_operator.objects import Kind, Obj
from lingma_operator.observed import CapturedSession


def captured_secret(account: LingmaAccount, captured: CapturedSession) -> Obj:
    """Secret `<account>-gateway-session`."""
    derived_from = captured.derived_from or ""
    head = of_account(Kind.SECRET, account.identity)
    return {
        **head,
        "metadata": {
            **head["metadata"],
            "name": captured_secret_name(account.identity.name),
            "annotations": {
                Annotation.DERIVED_FROM.value: derived_from,
                Annotation.CAPTURED.value: captured.digest,
            },
        },
        "type": "Opaque",
        "data": {BUNDLE_KEY: captured.bundle, DERIVED_FROM_KEY: base64.b64encode(derived_from.encode()).decode()},
    }
