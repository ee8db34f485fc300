"""What all objects of an account have in common."""

from lingma_contract.names import APP_NAME, FIELD_MANAGER, GROUP, KIND, VERSION, Component, Label, children_name
from lingma_operator.account import Identity
from lingma_operator.objects import Kind, Obj


def selector(account: Identity) -> dict[str, str]:
    """Labels that find the account's pod. A StatefulSet's selector is immutable: add nothing here."""
    return {
        Label.NAME.value: APP_NAME,
        Label.COMPONENT.value: Component.ACCOUNT.value,
        Label.ACCOUNT.value: account.name,
    }


def labels(account: Identity) -> dict[str, str]:
    """Labels of every object of the account."""
    return {**selector(account), Label.INSTANCE.value: account.name, Label.MANAGED_BY.value: FIELD_MANAGER}


def of_account(kind: Kind, account: Identity) -> Obj:
    """The head of an object: kind, name, labels, and the owner whose deletion deletes it."""
    return {
        "apiVersion": kind.value.api_version,
        "kind": kind.value.kind,
        "metadata": {
            "name": children_name(account.name),
            "namespace": account.namespace,
            "labels": labels(account),
            "ownerReferences": [
                {
                    "apiVersion": f"{GROUP}/{VERSION}",
                    "kind": KIND,
                    "name": account.name,
                    "uid": account.uid,
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
    }
