"""The account's headless Service: EndpointSlices for the router, a DNS name for people, no ClusterIP used up."""

from lingma_contract.names import Port
from lingma_operator.account import LingmaAccount
from lingma_operator.manifests.metadata import of_account, selector
from lingma_operator.objects import Kind, Obj


def service(account: LingmaAccount) -> Obj:
    """Service `<account>-gateway`. Its EndpointSlices inherit its labels: the router selects by them."""
    return {
        **of_account(Kind.SERVICE, account.identity),
        "spec": {
            "clusterIP": "None",
            # A pod that waits for a login must be found; whether it serves is said by the endpoint's conditions.
            "publishNotReadyAddresses": True,
            "selector": selector(account.identity),
            "ports": [
                {"name": "http", "port": Port.CLIENT, "targetPort": Port.CLIENT, "protocol": "TCP"},
                {"name": "admin", "port": Port.ADMIN, "targetPort": Port.ADMIN, "protocol": "TCP"},
            ],
        },
    }
