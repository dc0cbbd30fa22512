"""The rules of one-time codes: when they are sent, how often they may be tried, and that each is used once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import UUID

from msgspec import Struct

from ogel.features.accounts.codes.code import DIGITS, Code, FreshCode, Guess, Mint, Purpose, hash_of
from ogel.features.accounts.codes.flows import FlowService
from ogel.features.accounts.codes.limits import Kind, MailLimits
from ogel.features.accounts.codes.links import (
    TEMPLATES,
    LinkOptions,
    data_of,
    languages_of,
    link_of,
    type_of,
)
from ogel.features.accounts.codes.store import CodeStore
from ogel.features.accounts.users.store import UserStore
from ogel.features.accounts.users.user import User
from ogel.features.mail.contract import MailQueue
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import Unavailable
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database, Transaction

# Of a million: after them the digits are worth nothing, and the link goes on working.
MOST_TRIES = 5
_SENT_AT: dict[Purpose, str] = {
    "signup": "confirmation_sent_at",
    "invite": "confirmation_sent_at",
    "magiclink": "recovery_sent_at",
    "recovery": "recovery_sent_at",
    "email_change_current": "email_change_sent_at",
    "email_change_new": "email_change_sent_at",
    "reauthentication": "reauthentication_sent_at",
}
# How somebody has signed in who exchanges the code of such a link, for `amr`.
_METHODS = {"signup": "email/signup"}


class Sender(Struct, frozen=True):
    """`app` is what mail calls the app; links begin with `external_url`; codes are good for `code_seconds`."""

    app: str
    site_url: str
    external_url: str
    code_seconds: int


class CodeService:
    def __init__(
        self,
        database: Database,
        store: CodeStore,
        users: UserStore,
        flows: FlowService,
        mint: Mint,
        mail: MailQueue,
        limits: MailLimits,
        audit: AuditTrail,
        sender: Sender,
        changed: Callable[[Transaction, UUID], None],
    ) -> None:
        """`changed` gets the user of whom what is remembered anywhere is out of date, after the transaction."""
        self._database = database
        self._store = store
        self._users = users
        self._flows = flows
        self._mint = mint
        self._mail = mail
        self._limits = limits
        self._audit = audit
        self._sender = sender
        self._changed = changed

    @property
    def can_send(self) -> bool:
        return self._mail.is_ready

    async def admit(self, address: str, kind: Kind) -> None:
        """
        To be asked before a transaction that may send, whoever has the address. Raises AccountError
        `over_email_send_rate_limit`, or Unavailable.
        """
        self.check_ready()
        await self._limits.admit(address, kind)

    def check_ready(self) -> None:
        """Raises Unavailable when nothing sends mail, or too much of it waits."""
        if not self.can_send:
            raise Unavailable("No mail can be sent: set OGEL_MAIL_FROM and a provider.")
        self._mail.admit()

    def nothing_sent(self) -> None:
        """After `admit`, when there was nobody to send to."""
        self._limits.nothing_sent()

    async def send(
        self, tx: Transaction, caller: Caller, user: User, purpose: Purpose, link: LinkOptions
    ) -> User:
        """To the user's address. Returns the user as they are now, and replaces their code of this purpose."""
        return await self.send_all(tx, caller, user, [purpose], link)

    async def send_all(
        self, tx: Transaction, caller: Caller, user: User, purposes: Sequence[Purpose], link: LinkOptions
    ) -> User:
        """One code of each purpose, all of one flow, to the address that it is for."""
        user, codes = await self.make(tx, user, purposes, link)
        for purpose, code in zip(purposes, codes, strict=True):
            await self._post(tx, caller, user, purpose, code, link)
        return user

    async def make(
        self, tx: Transaction, user: User, purposes: Sequence[Purpose], link: LinkOptions
    ) -> tuple[User, list[FreshCode]]:
        """Makes codes of one flow, and sends nothing. The user's row is locked before their codes, as elsewhere."""
        user = await self._users.update(tx, user.id, **{_SENT_AT[purposes[0]]: utc_now()})
        self._changed(tx, user.id)
        flow = await self._begin(tx, user, type_of(purposes[0]), link)
        codes = []
        for purpose in purposes:
            code = self._mint.new(pkce=flow is not None)
            address = _known_address(user, purpose)
            await self._store.put(tx, code, user.id, purpose, address, flow, self._sender.code_seconds)
            codes.append(code)
        return user, codes

    def link(self, code: FreshCode, purpose: Purpose, redirect_to: str) -> str:
        return link_of(self._sender.external_url, code, purpose, redirect_to)

    async def guess(self, address: str, digits: str, *purposes: Purpose) -> Guess:
        """
        Counts a try, and commits that, before the digits are looked at; no transaction may be open. A guess that can be
        none is one that nothing fits.
        """
        if len(digits) != DIGITS or not (digits.isascii() and digits.isdecimal()):
            return Guess(purposes, ())
        async with self._database.autocommit() as tx:
            meant = await self._store.count_try(tx, address, purposes, MOST_TRIES)
        hashes = [hash_of(self._mint.token(id, digits, pkce=pkce)) for id, _, pkce in meant]
        return Guess(purposes, hashes, [user_id for _, user_id, _ in meant])

    @staticmethod
    def guess_of_link(token: str, *purposes: Purpose) -> Guess:
        return Guess(purposes, [hash_of(token)])

    async def owner(self, tx: Transaction, guess: Guess) -> UUID | None:
        return await self._store.owner(tx, guess)

    async def use(self, tx: Transaction, caller: Caller, guess: Guess, user: User) -> Code | None:
        """Of any number of calls for a code, one returns it. The user's row is to be locked."""
        code = await self._store.use(tx, guess, user.id)
        if code is not None:
            await self._record(tx, caller, "auth.code_used", user, code.purpose)
        return code

    async def refused(self, caller: Caller, guess: Guess) -> None:
        """Records a guess that was wrong, of those whose codes it was for."""
        if guess.tried:
            async with self._database.transaction() as tx:
                for user_id in {str(each) for each in guess.tried}:
                    await self._audit.record(tx, caller, "auth.code_refused", "user", user_id)

    async def drop(self, tx: Transaction, user: User, *purposes: Purpose) -> None:
        await self._store.drop(tx, user.id, purposes)

    async def _begin(self, tx: Transaction, user: User, type: str, link: LinkOptions) -> UUID | None:
        if link.challenge is None:
            return None
        return await self._flows.begin(
            tx,
            "email",
            _METHODS.get(type, type),
            link.challenge,
            link.redirect_to,
            timedelta(seconds=self._sender.code_seconds),
            user_id=user.id,
        )

    async def _post(
        self,
        tx: Transaction,
        caller: Caller,
        user: User,
        purpose: Purpose,
        code: FreshCode,
        link: LinkOptions,
    ) -> None:
        secrets = {"code": code.digits}
        data = data_of(user, purpose, self._sender.app)
        if purpose != "reauthentication":
            secrets |= {"url": self.link(code, purpose, link.redirect_to), "token": code.token}
            data |= {
                "type": type_of(purpose),
                "site_url": self._sender.site_url,
                "redirect_to": link.redirect_to,
            }
        to = _known_address(user, purpose)
        await self._mail.queue(
            tx,
            caller,
            to,
            TEMPLATES[purpose],
            languages_of(user, link),
            data,
            secrets,
            self._sender.code_seconds,
        )
        await self._record(tx, caller, "auth.code_sent", user, purpose)

    async def _record(
        self, tx: Transaction, caller: Caller, action: str, user: User, purpose: Purpose
    ) -> None:
        id = str(user.id)
        await self._audit.record(tx, caller, action, "user", id, {"purpose": purpose}, user_id=id)


def address_for(user: User, purpose: Purpose) -> str | None:
    """Where a code of this purpose is sent."""
    return user.email_change if purpose == "email_change_new" else user.email


def _known_address(user: User, purpose: Purpose) -> str:
    """Of somebody who has one: that is what those look at who send."""
    address = address_for(user, purpose)
    assert address is not None
    return address
