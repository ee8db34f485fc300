"""A login that Lingma has changed since it was restored, kept as a bundle of its own.

The gateway keeps it in the work directory; the operator carries it to a Secret, which comes back as a mounted folder
when the pod is made anew. It counts only while the user's bundle is still the one that it derives from.
"""

import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path

from lingma_contract import bundle as bundles
from lingma_contract.bundle import Bundle, BundleError
from lingma_contract.jsonlog import event
from lingma_contract.names import BUNDLE_KEY, DERIVED_FROM_KEY
from lingma_gateway.sessions import files

log = logging.getLogger(__name__)

STATE_DIR = ".lingma-gateway"
"""Beside Lingma's own folders in the work directory."""
_BUNDLE, _RECORD = "captured.tgz", "captured.json"


@dataclass(frozen=True, slots=True)
class Captured:
    """A captured login."""

    bundle: Bundle
    derived_from: str | None
    """Digest of the user's bundle that was in force; None where the login came without one."""


def keep(work_dir: Path, captured: Captured) -> None:
    """Keep it in the work directory, instead of the one before.

    Raises:
        OSError: it could not be written.
    """
    folder = work_dir / STATE_DIR
    files.private_folder(folder)
    files.replace(folder / _BUNDLE, bundles.pack(captured.bundle))
    record = {"digest": captured.bundle.digest, "derived_from": captured.derived_from, "time": time.time()}
    files.replace(folder / _RECORD, json.dumps(record).encode())


def kept(work_dir: Path) -> Captured | None:
    """What `keep` wrote last; None where there is nothing, or a write was cut short."""
    folder = work_dir / STATE_DIR
    try:
        record = json.loads((folder / _RECORD).read_bytes())
        bundle = bundles.unpack((folder / _BUNDLE).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        _passed_over(_BUNDLE, error)
        return None
    if not isinstance(record, dict) or record.get("digest") != bundle.digest:
        return None
    derived_from = record.get("derived_from")
    return Captured(bundle, derived_from if isinstance(derived_from, str) else None)


def mounted(folder: Path) -> Captured | None:
    """What the operator's Secret holds; None where there is none, or no bundle in it."""
    try:
        derived_from = (folder / DERIVED_FROM_KEY).read_text().strip()
        bundle = bundles.unpack((folder / BUNDLE_KEY).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        _passed_over(BUNDLE_KEY, error)
        return None
    return Captured(bundle, derived_from or None)


def _passed_over(name: str, error: Exception) -> None:
    """A broken capture is no reason to fail: the user's bundle is still there."""
    said = str(error) if isinstance(error, BundleError) else type(error).__name__
    event(log, "captured_session_unreadable", level=logging.WARNING, file=name, reason=said)
