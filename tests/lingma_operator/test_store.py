"""The store and the inbox: older news never replaces newer, and nothing of the user's Secrets stays."""

from typing import Any

from lingma_operator.inbox import Inbox
from lingma_operator.objects import Kind, Obj
from lingma_operator.queue import WorkQueue
from lingma_operator.store import MAX_TOMBS, Key, Store
from tests.lingma_operator.support import PLANTED, account, account_body, bundle_secret, desired, live

ALICE = Key("team", "alice")


def at(version: int, obj: Obj, **metadata: Any) -> Obj:
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(version), **metadata}}


def test_older_news_does_not_replace_newer() -> None:
    store, body = Store(), account_body()
    assert store.put(Kind.ACCOUNT, at(10, body))
    assert not store.put(Kind.ACCOUNT, at(10, body))
    assert not store.put(Kind.ACCOUNT, at(9, body))
    assert store.put(Kind.ACCOUNT, at(11, body))


def test_a_deleted_object_does_not_come_back_by_a_list_that_was_on_its_way() -> None:
    store, body = Store(), account_body()
    store.put(Kind.ACCOUNT, at(10, body))
    assert store.drop(Kind.ACCOUNT, at(12, body))
    assert not store.put(Kind.ACCOUNT, at(11, body))
    assert store.put(Kind.ACCOUNT, at(13, body, uid="its successor"))


def test_the_end_of_a_predecessor_is_not_the_end_of_its_successor() -> None:
    store, body = Store(), account_body()
    store.put(Kind.ACCOUNT, at(13, body, uid="new"))
    assert not store.drop(Kind.ACCOUNT, at(12, body))
    assert store.get(Kind.ACCOUNT, ALICE) is not None


def test_what_a_list_no_longer_has_is_a_ghost_unless_it_came_while_listing() -> None:
    store = Store()
    store.put(Kind.ACCOUNT, at(1, account_body("alice")))
    known = store.keys(Kind.ACCOUNT, "team")
    store.put(Kind.ACCOUNT, at(5, account_body("bob", "uid-bob")))
    ghosts = store.replace(Kind.ACCOUNT, known, [at(4, account_body("carol", "uid-carol"))])
    assert [ghost["metadata"]["name"] for ghost in ghosts] == ["alice"]
    assert sorted(key.name for key in store.keys(Kind.ACCOUNT)) == ["bob", "carol"]
    assert store.keys(Kind.ACCOUNT, "elsewhere") == []


def test_memory_of_the_dead_is_bounded() -> None:
    store = Store()
    for number in range(MAX_TOMBS + 5):
        store.drop(Kind.POD, at(1, account_body(uid=f"uid-{number}")))
    assert store.put(Kind.POD, at(1, account_body(uid="uid-0")))
    assert not store.put(Kind.POD, at(1, account_body("bob", uid=f"uid-{MAX_TOMBS}")))


def test_a_secret_finds_the_accounts_that_refer_to_it() -> None:
    store = Store()
    store.put(Kind.ACCOUNT, at(1, account_body(sessionSecretRef={"name": "one"})))
    store.put(Kind.ACCOUNT, at(1, account_body("bob", "uid-bob", sessionSecretRef={"name": "one"})))
    assert store.referrers(Key("team", "one")) == {ALICE, Key("team", "bob")}
    store.put(Kind.ACCOUNT, at(2, account_body(sessionSecretRef={"name": "two"})))
    assert store.referrers(Key("team", "one")) == {Key("team", "bob")}
    store.drop(Kind.ACCOUNT, at(3, account_body("bob", "uid-bob")))
    assert store.referrers(Key("team", "one")) == frozenset()


def test_fields_of_other_managers_are_not_kept() -> None:
    store = Store()
    store.put(Kind.ACCOUNT, at(1, account_body(), managedFields=[{"manager": "kubectl"}]))
    kept = store.get(Kind.ACCOUNT, ALICE)
    assert kept is not None
    assert "managedFields" not in kept["metadata"]


async def inbox() -> tuple[Inbox, Store, WorkQueue[Key]]:
    store, queue = Store(), WorkQueue[Key]()
    return Inbox(store, queue), store, queue


def drained(queue: WorkQueue[Key]) -> list[Key]:
    taken = []
    while (item := queue.schedule.take(1e12)) is not None:
        taken.append(item[0])
        queue.schedule.done(item[0], 1e12)
    return taken


async def test_news_of_an_account_and_of_its_children_queue_the_account() -> None:
    mail, store, queue = await inbox()
    mail.account(None, at(1, account_body()))
    assert drained(queue) == [ALICE]
    service = live(desired(account())[2])
    mail.child(Kind.SERVICE, "ADDED", service)
    assert drained(queue) == [ALICE]
    assert store.get(Kind.SERVICE, Key("team", "alice-gateway")) is not None
    mail.child(Kind.SERVICE, "DELETED", at(9, service))
    assert drained(queue) == [ALICE]
    assert store.get(Kind.SERVICE, Key("team", "alice-gateway")) is None


async def test_an_echo_of_what_is_known_queues_nothing() -> None:
    mail, store, queue = await inbox()
    service = live(desired(account())[2])
    store.put(Kind.SERVICE, service)
    mail.child(Kind.SERVICE, "MODIFIED", service)
    assert drained(queue) == []


async def test_objects_without_our_labels_are_nobodys() -> None:
    mail, store, queue = await inbox()
    mail.child(Kind.SERVICE, "ADDED", {"metadata": {"name": "x", "namespace": "team"}})
    mail.child(Kind.SERVICE, "ADDED", {"metadata": {"namespace": "team", "labels": {"lingma.dev/account": "alice"}}})
    assert drained(queue) == []
    assert store.keys(Kind.SERVICE) == []


async def test_a_users_secret_queues_its_accounts_and_nothing_of_it_is_kept() -> None:
    mail, store, queue = await inbox()
    store.put(Kind.ACCOUNT, at(1, account_body(sessionSecretRef={"name": "alice-bundle"})))
    mail.secret("ADDED", at(5, bundle_secret(), uid="s"))
    mail.secret("ADDED", at(6, bundle_secret("unrelated"), uid="t"))
    assert drained(queue) == [ALICE]
    assert store.keys(Kind.SECRET) == []
    assert PLANTED.decode() not in repr(vars(store))


async def test_our_own_secret_is_a_child() -> None:
    mail, store, queue = await inbox()
    mail.secret("ADDED", live(desired(account())[1]))
    assert drained(queue) == [ALICE]
    assert store.get(Kind.SECRET, Key("team", "alice-gateway")) is not None
