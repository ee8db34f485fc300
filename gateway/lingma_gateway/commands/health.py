"""`lingma-gateway health`: asks a running gateway whether it has a ready Lingma. For HEALTHCHECK and for people."""

import argparse
import http.client
import json
import os

from lingma_contract.health import Health
from lingma_contract.names import Port

_TIMEOUT_S = 5.0
_EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    command = commands.add_parser("health", help="whether the gateway at HOST and PORT has a ready Lingma: exit 0 or 1")
    command.set_defaults(run=_health)


def _health(_options: argparse.Namespace) -> int:
    healthy, line = check()
    print(line)
    return 0 if healthy else 1


def check() -> tuple[bool, str]:
    """Whether the gateway at HOST and PORT has a ready Lingma, and a line that says so or why not.

    Only these two variables are read: a check must not fail for a setting that it does not use.
    """
    host, port = os.environ.get("HOST", ""), os.environ.get("PORT") or str(Port.CLIENT)
    if not port.isdecimal():
        return False, "PORT is no number"
    connection = http.client.HTTPConnection(_EVERYWHERE.get(host, host), int(port), timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/healthz")
        health = Health.parse(json.loads(connection.getresponse().read()))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return False, f"no gateway answers on port {port} ({type(error).__name__})"
    finally:
        connection.close()
    return verdict(health)


def verdict(health: Health) -> tuple[bool, str]:
    """What a health report comes down to."""
    size = len(health.instances)
    if health.pool_ready:
        return True, f"{health.pool_ready} of {size} ready"
    reasons = "; ".join(f"{instance.name}: {instance.message}" for instance in health.instances)
    return False, f"0 of {size} ready" + (f" ({reasons})" if reasons else "")
