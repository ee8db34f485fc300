"""What the containers of an account's pod have in common."""

from collections.abc import Mapping
from typing import Any

from lingma_contract.names import Container
from lingma_operator.account import Resources
from lingma_operator.objects import Obj
from lingma_operator.settings import Settings


class ImageMissing(ValueError):
    """Nothing says which image to run; the message says where to."""

    reason = "ImageMissing"


def container(name: Container, image: str, settings: Settings) -> Obj:
    """The head of a container, as the restricted Pod Security level wants it."""
    return {
        "name": name.value,
        "image": image,
        "imagePullPolicy": settings.image_pull_policy,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def resources(wanted: Resources | None, default: Obj) -> Obj:
    """Requests and limits, of the account or by default."""
    if wanted is None:
        return default
    # As text, the form in which the API server gives numbers back: else they would look edited.
    return {
        part: {name: str(quantity) for name, quantity in quantities.items()}
        for part, quantities in (("requests", wanted.requests), ("limits", wanted.limits))
        if quantities is not None
    }


def mount(volume: str, path: str, *, read_only: bool = False) -> Obj:
    """A volume's place in a container."""
    place: dict[str, Any] = {"name": volume, "mountPath": path}
    return {**place, "readOnly": True} if read_only else place


def variable(name: str, value: str) -> Obj:
    """An environment variable."""
    return {"name": name, "value": value}


def secret_volume(volume: str, secret: str, items: Mapping[str, str]) -> Obj:
    """A volume of the Secret's keys in `items`, each as a file of the name that stands there.

    Optional: a pod whose Secret is missing runs and waits for a login, and its status says so.
    """
    listed = [{"key": key, "path": path} for key, path in items.items()]
    return {
        "name": volume,
        "secret": {"secretName": secret, "items": listed, "optional": True, "defaultMode": 0o440},
    }
