"""Logins under way: the nonce of login/generateUrl, used once, and what the login page issued for it. Pure."""

import base64
import hashlib
import secrets
from dataclasses import dataclass

from lingma_sim.accounts import Person

NONCE_LIFE_SECONDS = 600.0
"""Assumed."""
CONSUMED = "Invalid login nonce or consumed, ignore"
"""What Lingma logs (protocol page, section 4)."""


class TicketRefused(Exception):
    """A callback that is not taken. Its text is for the log and the page."""


@dataclass(frozen=True, slots=True, repr=False)
class Ticket:
    """One login that was begun."""

    nonce: str
    state: str
    verifier: str
    challenge: str
    made_at: float


class Tickets:
    """All that were begun and not yet used, and the codes that the login page gave out for them."""

    def __init__(self) -> None:
        self._by_nonce: dict[str, Ticket] = {}
        self._signed_in: dict[str, tuple[str, Person]] = {}
        self._choosing: dict[str, Person] = {}

    def open(self, now: float) -> Ticket:
        """Begin a login."""
        verifier = secrets.token_urlsafe(32)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        ticket = Ticket(secrets.token_hex(16), secrets.token_hex(8), verifier, challenge, now)
        self._by_nonce[ticket.nonce] = ticket
        return ticket

    def sign_in(self, person: Person, nonce: str) -> str:
        """The page's part: a code that says that `person` signed in for this nonce, whatever Lingma thinks of it."""
        code = secrets.token_urlsafe(24)
        self._signed_in[code] = (nonce, person)
        return code

    def redeem(self, code: str, *, now: float, life: float, state: str = "", nonce: str = "") -> Person:
        """Lingma's part: who signed in. The nonce is consumed, whether or not the code fits.

        Raises:
            TicketRefused: the nonce is unknown, used or too old, or the code is not for it.
        """
        ticket = next((one for one in self._by_nonce.values() if one.state == state or one.nonce == nonce), None)
        if ticket is None:
            raise TicketRefused(CONSUMED)
        del self._by_nonce[ticket.nonce]
        if now - ticket.made_at > life:
            raise TicketRefused(CONSUMED)
        for_nonce, person = self._signed_in.pop(code, ("", None))
        if person is None or for_nonce != ticket.nonce:
            raise TicketRefused("Invalid auth of the login callback")
        return person

    def choose_later(self, person: Person) -> str:
        """Keep a login until its organization is chosen, under the state that is returned."""
        state = secrets.token_hex(8)
        self._choosing[state] = person
        return state

    def choose(self, state: str, org_id: str) -> Person:
        """Who chose an organization.

        Raises:
            TicketRefused: nobody with this state may choose it.
        """
        person = self._choosing.get(state)
        if person is None or org_id not in dict(person.organizations):
            raise TicketRefused("Invalid organization")
        del self._choosing[state]
        return person
