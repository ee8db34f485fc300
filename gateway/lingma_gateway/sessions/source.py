"""Where an instance's login comes from, and what to think of it when Lingma turns out to be logged out.

It is the user's session bundle, or what was captured of a login that derives from it.
"""

import logging
import time
from dataclasses import dataclass
from pathlib import Path

from lingma_contract import bundle as bundles
from lingma_contract.bundle import Bundle, BundleError
from lingma_contract.health import LoginReason
from lingma_contract.jsonlog import event
from lingma_gateway.sessions import captured, loginfiles
from lingma_gateway.sessions import restore as restoring
from lingma_gateway.sessions.captured import Captured
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

    def __init__(
        self, work_dir: Path, bundle_file: Path | None, bundle_text: str = "", captured_dir: Path | None = None
    ) -> None:
        """`bundle_text`: the bundle in base64, for where there is no such file. `captured_dir`: the mounted capture."""
        self._work_dir = work_dir
        self._bundle_file = bundle_file
        self._bundle_text = bundle_text
        self._captured_dir = captured_dir
        self._tried: set[str] = set()

    def restore(self) -> Restored:
        """Before Lingma starts."""
        try:
            bundle = self._bundle()
        except BundleError as error:
            restored = Restored(Outcome.INVALID, str(error))
        else:
            restored = restoring.restore_bundle(self._work_dir, bundle, self._captures(bundle))
        level = logging.WARNING if restored.outcome is Outcome.INVALID else logging.INFO
        event(log, "session_restore", level=level, outcome=restored.outcome.value, message=restored.message)
        return restored

    def accepted(self) -> None:
        """Lingma is logged in: should it delete the login later, the same bundles may be tried again."""
        self._tried.clear()

    def logged_out(self) -> Verdict | None:
        """What to make of a Lingma that is logged out; None where there is no bundle to say anything about.

        Restores the newest one where Lingma deleted the login, each once: a Lingma that deletes it again rejects it.
        """
        try:
            bundle = self._bundle()
        except BundleError as error:
            return Verdict(LoginReason.BUNDLE_INVALID, str(error))
        if bundle is None:
            return None  # whoever logged out a login that came without a bundle meant it
        for candidate in restoring.candidates_of(bundle, self._captures(bundle)):
            digest = candidate.bundle.digest
            if digest in self._tried or self._in_use(candidate.bundle) or not _fits(candidate.bundle):
                continue
            self._tried.add(digest)
            restoring.put(self._work_dir, candidate, time.time())
            event(log, "session_restore", outcome=Outcome.RESTORED.value, captured=candidate.bundle is not bundle)
            return _RESTORED
        return _REJECTED

    def _captures(self, bundle: Bundle | None) -> list[Captured]:
        """Captured logins, the newest first: that of this work directory, and that of the pod before.

        Without a bundle, only the latter: a work directory that is logged out then was logged out by someone.
        """
        mounted = None if self._captured_dir is None else captured.mounted(self._captured_dir)
        kept = None if bundle is None else captured.kept(self._work_dir)
        return [one for one in (kept, mounted) if one is not None]

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
        try:
            user = (self._work_dir / "cache" / "user").read_bytes()
        except FileNotFoundError:
            return False
        last = restoring.last(self._work_dir)
        return user == bundle.files["user"] or (last is not None and last.digest == bundle.digest)


def _fits(bundle: Bundle) -> bool:
    """Whether `user` can be read with `id`: if not, Lingma would delete it again."""
    try:
        loginfiles.expire_time_ms(bundle.files)
    except loginfiles.Undecipherable:
        return False
    return True
