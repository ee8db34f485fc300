"""Where an instance's login comes from, and what to think of it when Lingma turns out to be logged out."""

import logging
from dataclasses import dataclass
from pathlib import Path

from lingma_contract import bundle as bundles
from lingma_contract.bundle import Bundle, BundleError
from lingma_contract.health import LoginReason
from lingma_contract.jsonlog import event
from lingma_gateway.sessions import loginfiles
from lingma_gateway.sessions import restore as restoring
from lingma_gateway.sessions.restore import Outcome, Restored

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why Lingma is logged out, in terms of the bundle. `restored`: it was restored just now, Lingma must restart."""

    reason: LoginReason
    message: str
    restored: bool = False


_REJECTED = Verdict(
    LoginReason.SESSION_REJECTED,
    "Lingma did not accept the session bundle: pack it anew from a Lingma that is logged in",
)
_RESTORED = Verdict(LoginReason.NOT_CONNECTED, "the session was restored, Lingma restarts to read it", restored=True)


class SessionSource:
    """The bundle of one work directory. Its methods touch files and may be called from a thread."""

    def __init__(self, work_dir: Path, bundle_file: Path | None, bundle_text: str = "") -> None:
        """`bundle_text`: the bundle in base64, for where there is no such file."""
        self._work_dir = work_dir
        self._bundle_file = bundle_file
        self._bundle_text = bundle_text
        self._tried: str | None = None

    def restore(self) -> Restored:
        """Before Lingma starts."""
        try:
            bundle = self._bundle()
        except BundleError as error:
            restored = Restored(Outcome.INVALID, str(error))
        else:
            if bundle is None:
                return Restored(Outcome.NO_BUNDLE, "no session bundle is configured")
            restored = restoring.restore_bundle(self._work_dir, bundle)
        event(log, "session_restore", outcome=restored.outcome.value, message=restored.message)
        return restored

    def accepted(self) -> None:
        """Lingma is logged in: should it delete the login later, the same bundle may be tried again."""
        self._tried = None

    def logged_out(self) -> Verdict | None:
        """What to make of a Lingma that is logged out; None where there is no bundle to say anything about.

        Restores the bundle where Lingma deleted the login, once a bundle: a Lingma that deletes it again rejects it.
        """
        try:
            bundle = self._bundle()
        except BundleError as error:
            return Verdict(LoginReason.BUNDLE_INVALID, str(error))
        if bundle is None:
            return None
        if self._tried == bundle.digest or self._in_use(bundle) or not _fits(bundle):
            return _REJECTED
        self._tried = bundle.digest
        self.restore()
        return _RESTORED

    def _bundle(self) -> Bundle | None:
        """The bundle; None if there is none.

        Raises:
            BundleError: there is one and it is not usable.
        """
        found = None if self._bundle_file is None else restoring.read_bundle(self._bundle_file)
        if found is None and self._bundle_text:
            return bundles.unpack(self._bundle_text.encode("utf-8", "surrogateescape"))
        return found

    def _in_use(self, bundle: Bundle) -> bool:
        """Whether Lingma still has what it got of this bundle. It has not looked at one that came after its start."""
        has_user = (self._work_dir / "cache" / "user").exists()
        return has_user and restoring.restored_digest(self._work_dir) == bundle.digest


def _fits(bundle: Bundle) -> bool:
    """Whether `user` can be read with `id`: if not, Lingma would delete it again."""
    try:
        loginfiles.expire_time_ms(bundle.files)
    except loginfiles.Undecipherable:
        return False
    return True
