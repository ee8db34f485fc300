"""`lingma-gateway session`: pack a login into a bundle, look into a bundle, restore one. Never shows a token."""

import argparse
import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from lingma_contract import bundle as bundles
from lingma_contract import jsonlog
from lingma_contract.bundle import Bundle, BundleError
from lingma_gateway.commands import CommandFailed
from lingma_gateway.sessions import files, packing
from lingma_gateway.sessions import restore as restoring
from lingma_gateway.sessions.packing import Inspection, PackError
from lingma_gateway.sessions.source import SessionSource

log = logging.getLogger(__name__)

STANDARD_STREAM = "-"
_MAX_BUNDLE_BYTES = 2 * bundles.MAX_ARCHIVE_BYTES
"""Of a bundle as it is read: base64 takes a third more than tar.gz."""


class SessionSettings(BaseSettings):
    """The settings that these commands take for options that are not given, under the names of the gateway's."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    lingma_work_dir: Path = Path("~/.lingma")
    lingma_session_bundle_file: Path | None = None
    """Session bundle, tar.gz or base64 of it."""
    lingma_session_bundle: SecretStr = Field(default=SecretStr(""))
    """The bundle itself, in base64; the file goes first."""
    lingma_captured_dir: Path | None = None
    """Folder of a captured session."""

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("lingma_session_bundle_file", "lingma_captured_dir", mode="before")
    @classmethod
    def _unset(cls, value: Any) -> Any:
        return None if value == "" else value


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command group."""
    group = commands.add_parser("session", help="login sessions").add_subparsers(required=True, metavar="COMMAND")
    work_dir = "Lingma's work directory (LINGMA_WORK_DIR, ~/.lingma)"
    pack = group.add_parser("pack", help="pack the login of a work directory into a session bundle")
    pack.add_argument("--work-dir", type=Path, metavar="DIR", help=work_dir)
    pack.add_argument("--to", default=STANDARD_STREAM, metavar="FILE|-", help="where to (standard output)")
    pack.add_argument("--base64", action="store_true", help="as base64 text instead of tar.gz")
    pack.set_defaults(run=_pack)
    inspect = group.add_parser("inspect", help="show whose login a session bundle holds and when it expires")
    inspect.add_argument("bundle", metavar="FILE|-", help="tar.gz or base64 of it; - is standard input")
    inspect.add_argument("-o", dest="output", choices=["text", "json"], default="text")
    inspect.set_defaults(run=_inspect)
    restore = group.add_parser("restore", help="restore a session bundle into a work directory")
    restore.add_argument(
        "--from",
        dest="source",
        metavar="FILE|-",
        help="tar.gz or base64 of it (LINGMA_SESSION_BUNDLE_FILE, LINGMA_SESSION_BUNDLE)",
    )
    restore.add_argument("--work-dir", type=Path, metavar="DIR", help=work_dir)
    restore.set_defaults(run=_restore)


def _pack(options: argparse.Namespace) -> int:
    work_dir = _work_dir(options, SessionSettings())
    try:
        bundle = packing.read_login(work_dir, time.time())
    except PackError as error:
        raise CommandFailed(str(error)) from error
    data = (bundles.encode(bundle) + "\n").encode() if options.base64 else bundles.pack(bundle)
    if options.to == STANDARD_STREAM:
        if sys.stdout.isatty():
            raise CommandFailed("a session bundle is a credential, not for a screen: use --to FILE, or a pipe")
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        files.replace(Path(options.to), data)
    for line in _described(packing.inspect(bundle), time.time()):
        print(line, file=sys.stderr)
    return 0


def _inspect(options: argparse.Namespace) -> int:
    inspection = packing.inspect(_read_bundle(options.bundle))
    now_s = time.time()
    if options.output == "json":
        print(json.dumps(_as_json(inspection, now_s), ensure_ascii=False, indent=2))
    else:
        print("\n".join(_described(inspection, now_s)))
    return 0


def _restore(options: argparse.Namespace) -> int:
    settings = SessionSettings()
    if options.source is not None:
        return _restore_for_person(options, settings)
    return _restore_for_pod(options, settings)


def _restore_for_person(options: argparse.Namespace, settings: SessionSettings) -> int:
    restored = restoring.restore_bundle(_made_work_dir(options, settings), _read_bundle(options.source))
    print(restored.message)
    return 0


def _restore_for_pod(options: argparse.Namespace, settings: SessionSettings) -> int:
    """Never fails for a missing or broken bundle: the gateway reports that, and there are other ways to log in."""
    inline = settings.lingma_session_bundle.get_secret_value()
    if settings.lingma_session_bundle_file is None and not inline:
        raise CommandFailed("no session bundle is named: use --from FILE, or set LINGMA_SESSION_BUNDLE_FILE")
    jsonlog.configure(settings.log_level)
    work_dir = _made_work_dir(options, settings)
    # A new volume is empty, and Lingma's own image may not make the folders that it is told to use.
    for folder in (Path.home(), Path(os.environ.get("TMPDIR", "/tmp"))):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    SessionSource(work_dir, settings.lingma_session_bundle_file, inline, settings.lingma_captured_dir).restore()
    return 0


def _work_dir(options: argparse.Namespace, settings: SessionSettings) -> Path:
    work_dir: Path = options.work_dir if options.work_dir is not None else settings.lingma_work_dir
    return work_dir.expanduser()


def _made_work_dir(options: argparse.Namespace, settings: SessionSettings) -> Path:
    work_dir = _work_dir(options, settings)
    work_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return work_dir


def _read_bundle(source: str) -> Bundle:
    try:
        if source == STANDARD_STREAM:
            data = sys.stdin.buffer.read(_MAX_BUNDLE_BYTES + 1)
        else:
            with Path(source).open("rb") as file:
                data = file.read(_MAX_BUNDLE_BYTES + 1)
        if len(data) > _MAX_BUNDLE_BYTES:
            raise CommandFailed(f"{source} is larger than {_MAX_BUNDLE_BYTES} bytes, so it is no session bundle")
        return bundles.unpack(data)
    except OSError as error:
        raise CommandFailed(f"{source} cannot be read: {error.strerror}") from error
    except BundleError as error:
        raise CommandFailed(str(error)) from error


def _described(inspection: Inspection, now_s: float) -> list[str]:
    who = inspection.holder
    lines = []
    if who is None:
        lines.append("login         unreadable: cache/user does not belong to cache/id")
    else:
        lines += [
            f"uid           {_shown(who.uid)}",
            f"name          {_shown(who.name)}",
            f"user type     {_shown(who.user_type)}",
            f"organization  {_shown(who.organization_id)}",
            f"expires       {_expiry(inspection, now_s)}",
        ]
    lines.append(f"fingerprint   {inspection.fingerprint}")
    lines += [f"cache/{name:<17} {size} bytes" for name, size in inspection.sizes.items()]
    return lines


def _shown(text: str) -> str:
    # A name may hold anything; escape codes for the terminal do not belong there.
    return "".join(character if character.isprintable() else "?" for character in text) or "(none)"


def _expiry(inspection: Inspection, now_s: float) -> str:
    expires = inspection.expires
    if expires is None:
        return "unknown"
    words = packing.relative(expires.timestamp() - now_s)
    expired = "" if inspection.usable(now_s) else "expired "
    return f"{expires.isoformat(timespec='seconds')} ({expired}{words})"


def _as_json(inspection: Inspection, now_s: float) -> dict[str, Any]:
    who = inspection.holder
    expires = inspection.expires
    return {
        "usable": inspection.usable(now_s),
        "uid": who.uid if who else None,
        "name": who.name if who else None,
        "user_type": who.user_type if who else None,
        "organization_id": who.organization_id if who else None,
        "expires": expires.isoformat(timespec="seconds") if expires else None,
        "expires_in_seconds": int(expires.timestamp() - now_s) if expires else None,
        "fingerprint": inspection.fingerprint,
        "members": dict(inspection.sizes),
    }
