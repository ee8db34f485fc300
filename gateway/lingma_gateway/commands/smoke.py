"""`lingma-gateway smoke`: the self-check of a Lingma, by a gateway that runs or directly; the report is masked."""

import argparse
import asyncio
import http.client
import json
import ssl
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

from lingma_contract import jsonlog
from lingma_gateway.commands import CommandFailed
from lingma_gateway.lingma import infofile
from lingma_gateway.sessions import files
from lingma_gateway.smoke.runner import TOOLS_BUDGET_S, SmokeRunner, Target

STANDARD_STREAM = "-"
_DIFFERS = 3
"""Exit status when a report was written and not everything is as documented."""
_TIMEOUT_S = 90.0
"""A check takes a minute at most; the rest is for the way there."""
_MAX_ANSWER_BYTES = 4 * 2**20
_MODEL = "org_auto"


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("smoke", help="check what a Lingma does against what is documented, in a minute")
    parser.add_argument("--report", required=True, metavar="FILE|-", help="where the report goes, as masked JSON")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--url", type=_url, help="of a gateway's admin port: it checks its own Lingma")
    which.add_argument("--port", type=int, metavar="N", help="of a Lingma on this machine: its WebSocket")
    which.add_argument(
        "--work-dir", type=Path, metavar="DIR", help="of a Lingma on this machine: for .info and its log"
    )
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="with --url: holds the admin token")
    parser.add_argument("--instance", metavar="NAME", help="with --url: which Lingma, where the gateway has several")
    parser.add_argument("--model", metavar="KEY", help=f"which model is asked ({_MODEL}, or the gateway's default)")
    parser.add_argument(
        "--tools", action="store_true", help="also try 22 tools in each grammar: 20 to 40 questions, up to five minutes"
    )
    parser.set_defaults(run=_smoke)


def _url(text: str) -> SplitResult:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise argparse.ArgumentTypeError(f"{text!r} is no http address")
    return parts


def _smoke(options: argparse.Namespace) -> int:
    jsonlog.configure("error", stream=sys.stderr)
    report = _asked(options) if options.url is not None else _checked(options)
    text = json.dumps(report, ensure_ascii=False, indent=2) + "\n"
    if options.report == STANDARD_STREAM:
        print(text, end="")
    else:
        files.replace(Path(options.report), text.encode())
    print(_summary(report), file=sys.stderr)
    return 0 if report.get("ok") is True else _DIFFERS


def _asked(options: argparse.Namespace) -> dict[str, Any]:
    """The report of a gateway. Redirects are not followed: the token is for that address alone."""
    if options.token_file is None:
        raise CommandFailed("--url needs --token-file: a file with the admin token")
    token = options.token_file.expanduser().read_text().split()
    if len(token) < 1:
        raise CommandFailed(f"{options.token_file} is empty")
    given = {"instance": options.instance, "model": options.model, "tools": "true" if options.tools else None}
    query = urlencode({name: value for name, value in given.items() if value is not None})
    path = f"{options.url.path.rstrip('/')}/internal/smoke" + (f"?{query}" if query else "")
    connection = _connection(options.url, _TIMEOUT_S + (TOOLS_BUDGET_S if options.tools else 0.0))
    try:
        connection.request("POST", path, headers={"Authorization": f"Bearer {token[0]}", "Content-Length": "0"})
        response = connection.getresponse()
        status, body = response.status, response.read(_MAX_ANSWER_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise CommandFailed(f"the gateway at {options.url.netloc} does not answer: {error}") from error
    finally:
        connection.close()
    report = _object(body)
    if status != 200 or "steps" not in report:
        told = report.get("error")
        why = told.get("message") if isinstance(told, dict) else "it answered something else"
        raise CommandFailed(f"the gateway at {options.url.netloc} has no report ({status}): {why}")
    # Whose Lingma it was is nobody's business but the owner's.
    report.pop("instance", None)
    return report


def _connection(url: SplitResult, timeout_s: float) -> http.client.HTTPConnection:
    assert url.hostname is not None
    if url.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(url.hostname, url.port, timeout=timeout_s, context=context)
    return http.client.HTTPConnection(url.hostname, url.port, timeout=timeout_s)


def _object(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _checked(options: argparse.Namespace) -> dict[str, Any]:
    """The report of a check of our own."""
    work_dir: Path | None = None
    if options.work_dir is not None:
        work_dir = options.work_dir.expanduser()
        info = infofile.read(work_dir)
        if info is None:
            raise CommandFailed(
                f"{work_dir} has no .info: no Lingma runs there; start it, or name its port with --port"
            )
        port = info.port
    else:
        port = options.port
    with tempfile.TemporaryDirectory(prefix="lingma-smoke-") as workspace:
        target = Target(
            port=port,
            workspace=Path(workspace),
            work_dir=work_dir,
            model=options.model or _MODEL,
            with_tools=options.tools,
        )
        return asyncio.run(SmokeRunner().run(target))


def _summary(report: dict[str, Any]) -> str:
    lines = [
        f"{step['outcome']:<14} {step['name']:<11} {step['ms']:>6} ms  {step['finding']}" for step in report["steps"]
    ]
    return "\n".join(lines)
