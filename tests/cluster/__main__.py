"""`python -m tests.cluster up|down|status|kubeconfig|load IMAGE|logs COMPONENT`"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence

from tests.cluster import access, binaries, imagestore
from tests.cluster.commands import Failure
from tests.cluster.components import components
from tests.cluster.layout import Layout
from tests.cluster.node import Node
from tests.cluster.processes import Processes
from tests.cluster.report import Report


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    node = Node(Layout(), binaries.default(), Report())
    if options.command in {"down", "load"} and os.geteuid() != 0:
        print("error: this needs root, as `up` does", file=sys.stderr)
        return 1
    try:
        return run(options, node)
    except (Failure, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def run(options: argparse.Namespace, node: Node) -> int:
    match options.command:
        case "up":
            print(f"export KUBECONFIG={access.obtain().kubeconfig}")
        case "down":
            node.down()
        case "status":
            return status(node)
        case "kubeconfig":
            print(node.layout.kubeconfig)
        case "load":
            imagestore.load(options.image, node.layout, node.binaries, node.report)
        case "logs":
            return logs(node.layout, options.component)
    return 0


def status(node: Node) -> int:
    states = node.states()
    for state in states:
        print(f"{'ok ' if state.healthy else 'BAD'} {state.name:<24} {state.said}")
    return 0 if all(state.healthy for state in states) else 1


def logs(layout: Layout, component: str) -> int:
    path = Processes(layout.processes, layout.logs).log(component)
    if not path.exists():
        print(f"error: {component} has not been started", file=sys.stderr)
        return 1
    with path.open(errors="replace") as log:
        shutil.copyfileobj(log, sys.stdout)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description="A real one-node Kubernetes.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="bring it up, or repair it; builds its programs the first time")
    commands.add_parser("down", help="take it away and leave nothing behind")
    commands.add_parser("status", help="each component; exits 0 only when all are healthy")
    commands.add_parser("kubeconfig", help="where the administrator's kubeconfig is")
    load = commands.add_parser("load", help="make an image known to the node")
    load.add_argument("image", metavar="IMAGE", help="a name in buildah's storage, or a tar file")
    names = [component.name for component in components(Layout(), binaries.default())]
    show = commands.add_parser("logs", help="what a component has said")
    show.add_argument("component", metavar="COMPONENT", choices=names, help=", ".join(names))
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
