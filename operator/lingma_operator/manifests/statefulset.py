"""The StatefulSet of one replica: at most one pod of an account at any time, since a login may live only once."""

from lingma_contract.names import Annotation, children_name
from lingma_operator.account import LingmaAccount
from lingma_operator.manifests.metadata import labels, of_account, selector
from lingma_operator.manifests.pod import pod_spec
from lingma_operator.objects import Kind, Obj
from lingma_operator.settings import Settings


def stateful_set(account: LingmaAccount, settings: Settings, session_hash: str | None) -> Obj:
    """StatefulSet `<account>-gateway`.

    Raises:
        ImageMissing: nothing says which image holds Lingma, or the browser.
    """
    identity = account.identity
    annotations = {Annotation.SESSION_HASH.value: session_hash} if session_hash is not None else {}
    return {
        **of_account(Kind.STATEFUL_SET, identity),
        "spec": {
            "replicas": 0 if account.spec.suspend else 1,
            # OrderedReady never replaces a running pod that is not ready, which is what an account
            # that waits for a login is.
            "podManagementPolicy": "Parallel",
            "updateStrategy": {"type": "RollingUpdate"},
            "revisionHistoryLimit": 3,
            "serviceName": children_name(identity.name),
            "selector": {"matchLabels": selector(identity)},
            "template": {
                "metadata": {"labels": labels(identity), **({"annotations": annotations} if annotations else {})},
                "spec": pod_spec(account, settings),
            },
        },
    }
