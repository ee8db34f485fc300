"""Who is logged in at the process, now: read at its start, changed by logins, and kept in `cache/user`."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from lingma_sim import login
from lingma_sim.faults import Faults
from lingma_sim.journal import Journal
from lingma_sim.login import Account, LoginUnreadable, Status, Whitelist
from lingma_sim.workdir import WorkDir

REPORTED_FAULTS = frozenset({"status", "whitelist"})
"""Faults whose change is a change of the login, which auth/report tells."""


class AccountState:
    """The login. `changed` is called after each change."""

    def __init__(self, work_dir: WorkDir, journal: Journal, faults: Faults, changed: Callable[[], None]) -> None:
        self.account: Account | None = None
        self.machine_id = b""
        self._work_dir = work_dir
        self._journal = journal
        self._faults = faults
        self._changed = changed
        self._timer: asyncio.TimerHandle | None = None

    @property
    def status(self) -> Status:
        """The login now, or what a fault says of it."""
        fault = self._faults.peek("status")
        if fault is not None:
            return Status(int(fault))
        return Status.NOT_LOGIN if self.account is None else self.account.status(time.time())

    @property
    def whitelist(self) -> Whitelist:
        """Whether the account may use Lingma."""
        fault = self._faults.peek("whitelist")
        if fault is not None:
            return Whitelist(int(fault))
        return Whitelist.PASS if self.status is Status.LOGIN else Whitelist.UNKNOWN

    @property
    def usable(self) -> bool:
        """Whether there are models and turns."""
        return self.status is Status.LOGIN and self.whitelist is Whitelist.PASS

    @property
    def uid(self) -> str:
        """Who is logged in; empty when nobody is."""
        return self.account.uid if self.account is not None and self.status is Status.LOGIN else ""

    def read(self) -> None:
        """Read the login once: a login that is put there later counts from the next start on."""
        try:
            self.account = self._work_dir.account()
        except LoginUnreadable:
            self._forget_file()
        self.machine_id = self._work_dir.machine_id()
        self._watch_expiry()

    def _forget_file(self) -> None:
        self._journal.log("Unable to decrypt user info. Using machineKey: ****")
        self._work_dir.forget_user()
        self._journal.log("Deleted user info file.")

    def log_in(self, uid: str, organization_id: str = "") -> None:
        """Log `uid` in, here and on disk."""
        life = float(self._faults.take("token-life") or login.DEFAULT_LIFE_SECONDS)
        self._keep(login.new_login(uid, time.time(), life, organization_id))

    def logout(self) -> None:
        """Forget the account, here and on disk, if there is one."""
        if self.account is None:
            return
        self.account = None
        self._work_dir.forget_user()
        self._settle()

    def vanish(self) -> None:
        """Delete the login as one that does not fit the machine id, in the middle of it all."""
        self._forget_file()
        self.account = None
        self._settle()

    def expire(self) -> None:
        """Let the login end now."""
        if self.account is not None:
            self._keep(self._renewed(0.0, self.account))

    def rotate(self, *, keep_refresh_token: bool = False) -> None:
        """Give the account new tokens; without a login nothing happens."""
        account = self.account
        if account is None:
            return
        fields = self._renewed(float(self._faults.take("token-life") or login.DEFAULT_LIFE_SECONDS), account)
        fields["security_oauth_token"] = login.new_login(account.uid, 0)["security_oauth_token"]
        if not keep_refresh_token:
            fields["refresh_token"] = login.new_login(account.uid, 0)["refresh_token"]
        self._keep(fields)

    def _renewed(self, life: float, account: Account) -> dict[str, Any]:
        """The fields of the login, to end `life` seconds from now."""
        return {
            **login.new_login(account.uid, time.time(), life, account.organization_id),
            "name": account.name,
            "aid": account.aid,
            "user_type": account.user_type,
            "security_oauth_token": account.security_oauth_token,
            "refresh_token": account.refresh_token,
        }

    def _keep(self, fields: dict[str, Any]) -> None:
        content = login.encrypt(self.machine_id, fields)
        self._work_dir.write_cache({"user": content})
        self.account = login.decrypt(self.machine_id, content)
        self._settle()

    def _settle(self) -> None:
        self._watch_expiry()
        self._changed()

    def _watch_expiry(self) -> None:
        self.close()
        if self.account is not None and self.account.status(time.time()) is Status.LOGIN:
            # A moment later, so that the clock is past the expiry when the timer fires.
            left = self.account.expire_time / 1000 - time.time() + 0.01
            self._timer = asyncio.get_running_loop().call_later(left, self._changed)

    def close(self) -> None:
        """Stop watching the expiry."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
