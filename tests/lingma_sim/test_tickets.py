import base64
import hashlib

import pytest

from lingma_sim.accounts import Person
from lingma_sim.tickets import CONSUMED, TicketRefused, Tickets

ALICE = Person("alice", organizations=(("o1", "One"), ("o2", "Two")))


def test_a_ticket_is_redeemed_once_by_its_state_or_its_nonce() -> None:
    tickets = Tickets()
    for which in ("state", "nonce"):
        ticket = tickets.open(0)
        code = tickets.sign_in(ALICE, ticket.nonce)
        by = {which: getattr(ticket, which)}
        assert tickets.redeem(code, now=1, life=60, **by) is ALICE
        with pytest.raises(TicketRefused, match=CONSUMED):
            tickets.redeem(code, now=1, life=60, **by)


def test_the_challenge_is_the_digest_of_the_verifier() -> None:
    ticket = Tickets().open(0)
    digest = base64.urlsafe_b64decode(ticket.challenge + "=")
    assert digest == hashlib.sha256(ticket.verifier.encode()).digest()
    assert ticket.verifier not in repr(ticket)


def test_a_ticket_that_is_too_old_is_refused() -> None:
    tickets = Tickets()
    ticket = tickets.open(0)
    with pytest.raises(TicketRefused, match=CONSUMED):
        tickets.redeem(tickets.sign_in(ALICE, ticket.nonce), state=ticket.state, now=61, life=60)


def test_a_code_counts_for_its_own_nonce_alone_and_the_nonce_is_gone() -> None:
    tickets = Tickets()
    first, second = tickets.open(0), tickets.open(0)
    with pytest.raises(TicketRefused, match="Invalid auth"):
        tickets.redeem(tickets.sign_in(ALICE, first.nonce), state=second.state, now=1, life=60)
    with pytest.raises(TicketRefused, match=CONSUMED):
        tickets.redeem(tickets.sign_in(ALICE, second.nonce), state=second.state, now=1, life=60)
    with pytest.raises(TicketRefused, match="Invalid auth"):
        tickets.redeem("made up", state=first.state, now=1, life=60)


def test_an_empty_state_is_nobodys() -> None:
    tickets = Tickets()
    tickets.open(0)
    with pytest.raises(TicketRefused, match=CONSUMED):
        tickets.redeem("code", now=1, life=60)


def test_an_organization_is_chosen_once_among_ones_own() -> None:
    tickets = Tickets()
    state = tickets.choose_later(ALICE)
    for wrong_state, org_id in ((state, "o3"), ("other", "o1")):
        with pytest.raises(TicketRefused, match="Invalid organization"):
            tickets.choose(wrong_state, org_id)
    assert tickets.choose(state, "o2") is ALICE
    with pytest.raises(TicketRefused):
        tickets.choose(state, "o2")
