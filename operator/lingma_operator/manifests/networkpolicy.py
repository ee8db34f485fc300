"""Who may call the account's pod, and what it may call.

The policy is the whole pod's: what the browser and `bootstrap` may reach, Lingma may, and the other way round.

Probes come from the node, which network plugins let through.
"""

from urllib.parse import urlsplit

from lingma_contract.names import Port
from lingma_operator.account import LingmaAccount
from lingma_operator.manifests.metadata import of_account, selector
from lingma_operator.objects import Kind, Obj
from lingma_operator.settings import Settings

_WEB = (80, 443)
_DNS = [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]


def network_policy(account: LingmaAccount, settings: Settings) -> Obj:
    """In: the router on 8317; the operator and monitoring on 8318. Out: DNS and the web, no link-local address.

    A port that the dedicated domain or the plugin's address names is of the web, too.

    Link-local is where clouds answer who the node is (169.254.169.254), which a coding agent must not learn.
    """
    admins = _in_release(settings, settings.operator_labels) + _anywhere(settings.monitoring_labels)
    ingress = [
        {"from": peers, "ports": [{"port": port, "protocol": "TCP"}]}
        for port, peers in ((Port.CLIENT, _in_release(settings, settings.router_labels)), (Port.ADMIN, admins))
        if peers  # An empty `from` would let everyone in.
    ]
    return {
        **of_account(Kind.NETWORK_POLICY, account.identity),
        "spec": {
            "podSelector": {"matchLabels": selector(account.identity)},
            "policyTypes": ["Ingress", "Egress"],
            **({"ingress": ingress} if ingress else {}),
            "egress": [
                # To any address: a node-local DNS cache listens on a link-local one.
                {"ports": _DNS},
                {
                    "to": [
                        {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}},
                        {"ipBlock": {"cidr": "::/0", "except": ["fe80::/10"]}},
                    ],
                    "ports": [{"port": port, "protocol": "TCP"} for port in _web_ports(account)],
                },
            ],
        },
    }


def _web_ports(account: LingmaAccount) -> list[int]:
    bootstrap = account.spec.lingma.bootstrap
    addresses = (account.spec.login.dedicated_domain_url, bootstrap.vsix_url if bootstrap is not None else None)
    named = {port for address in addresses if address is not None and (port := _port(address)) is not None}
    return sorted({*_WEB, *named})


def _port(address: str) -> int | None:
    try:
        return urlsplit(address).port
    except ValueError:
        return None  # whoever uses the address will say so


def _in_release(settings: Settings, labels: dict[str, str]) -> list[Obj]:
    if not labels:
        return []
    return [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": settings.namespace}},
            "podSelector": {"matchLabels": labels},
        }
    ]


def _anywhere(labels: dict[str, str]) -> list[Obj]:
    return [{"namespaceSelector": {}, "podSelector": {"matchLabels": labels}}] if labels else []
