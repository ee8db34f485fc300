"""What the watches tell goes into the store, and the accounts that it is about into the queue."""

from lingma_operator.objects import Kind, Obj
from lingma_operator.queue import WorkQueue
from lingma_operator.store import Key, Store, account_of, key_of

DELETED = "DELETED"


class Inbox:
    """Takes news in and calls nothing."""

    def __init__(self, store: Store, queue: WorkQueue[Key]) -> None:
        self._store, self._queue = store, queue

    def account(self, event_type: str | None, body: Obj) -> None:
        """News of a LingmaAccount."""
        if self._take_in(Kind.ACCOUNT, event_type, body):
            self._queue.add(key_of(body))

    def child(self, kind: Kind, event_type: str | None, body: Obj) -> None:
        """News of an object that carries our labels."""
        account = account_of(body)
        if account is not None and self._take_in(kind, event_type, body):
            self._queue.add(account)

    def secret(self, event_type: str | None, body: Obj) -> None:
        """News of any Secret: one of ours, or one that an account may refer to, of which nothing is kept."""
        if account_of(body) is not None:
            self.child(Kind.SECRET, event_type, body)
        for account in self._store.referrers(key_of(body)):
            self._queue.add(account)

    def _take_in(self, kind: Kind, event_type: str | None, body: Obj) -> bool:
        # Listed objects have no type: at the start, and when a watch has to begin anew.
        return self._store.drop(kind, body) if event_type == DELETED else self._store.put(kind, body)
