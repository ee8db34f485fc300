"""Simulated accounts as Kubernetes objects."""

import subprocess
import sys
from typing import Any

from demo.kube import Object
from lingma_contract.names import BUNDLE_KEY, GROUP, KIND, VERSION


def bundle(uid: str) -> str:
    """A fresh session bundle of a simulated account; each call gives another."""
    command = [sys.executable, "-m", "lingma_sim", "bundle", "--uid", uid]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def secret_name(account: str) -> str:
    return f"{account}-bundle"


def secret(account: str, session: str) -> Object:
    """The user's Secret, with the session bundle of `account`."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": secret_name(account)},
        "stringData": {BUNDLE_KEY: session},
    }


def account(name: str, **spec: Any) -> Object:
    """A LingmaAccount that restores the Secret of `secret`; a field that is None is left out."""
    fields = {"sessionSecretRef": {"name": secret_name(name)}, **spec}
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": {"name": name},
        "spec": {field: value for field, value in fields.items() if value is not None},
    }
