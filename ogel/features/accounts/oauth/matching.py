"""
Which of our users somebody is whom another site vouches for. Addresses join two accounts only where both sides have
been shown to be theirs; otherwise whoever claims an address first would have the account of whoever owns it.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from msgspec import Struct

from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.oauth.store import OAuthStore, Owner
from ogel.features.accounts.sessions.service import SessionService
from ogel.features.accounts.users.service import UserService
from ogel.features.accounts.users.store import UserStore
from ogel.features.accounts.users.user import Identity, NewIdentity, NewUser, User
from ogel.kernel.clock import utc_now
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Transaction
from ogel.runtime.identity_provider import Person


class Raced(Exception):
    """Somebody else has just made the same user or identity; a second look finds it."""


class Found(Struct, frozen=True):
    """`unconfirmed`: nobody has shown yet that the user's address is theirs, so that they cannot sign in."""

    user: User
    unconfirmed: bool = False


class Rules(Struct, frozen=True):
    """
    signup     whether people that nobody knows become users.
    confirms   whether addresses are confirmed by mail; otherwise that one has an address proves nothing.
    """

    signup: bool
    confirms: bool


class Matching:
    def __init__(
        self,
        users: UserService,
        user_store: UserStore,
        store: OAuthStore,
        audit: AuditTrail,
        sessions: SessionService,
        rules: Rules,
    ) -> None:
        self._users = users
        self._user_store = user_store
        self._store = store
        self._audit = audit
        self._sessions = sessions
        self._rules = rules

    async def find(self, tx: Transaction, caller: Caller, provider: str, person: Person) -> Found:
        """Returns the user that this is, made now if need be. Raises AccountError and Raced."""
        known = await self._user_store.identity(tx, provider, person.id)
        if known is not None:
            return await self._again(tx, caller, known, person)
        owner = await self._owner(tx, person)
        if owner is not None:
            return await self._joined(tx, caller, owner, provider, person)
        return await self._new(tx, caller, provider, person)

    async def link(
        self, tx: Transaction, caller: Caller, user_id: UUID, provider: str, person: Person
    ) -> User:
        """
        Adds the account of the other site to the user, who asked for it. One who had no address gets that of the other
        site, once it is verified there. Raises AccountError.
        """
        user = await self._user_store.lock(tx, user_id)
        if user is None:
            raise AccountError(404, "user_not_found", "User not found")
        known = await self._user_store.identity(tx, provider, person.id)
        if known is not None:
            whose = "" if known.user_id == user_id else " to another user"
            raise AccountError(422, "identity_already_exists", f"Identity is already linked{whose}")
        await self._identified(tx, user, provider, person, caller)
        changed: dict[str, Any] = {"raw_app_meta_data": _with_provider(user, provider), "is_anonymous": False}
        if user.email is None and person.email is not None and person.email_verified:
            if await self._user_store.by_email(tx, person.email) is not None:
                raise _taken()
            changed |= {"email": person.email, "email_confirmed_at": utc_now()}
        return await self._changed(tx, caller, user, changed)

    async def _again(self, tx: Transaction, caller: Caller, known: Identity, person: Person) -> Found:
        user = await self._user_store.lock(tx, known.user_id)
        # Before the lock was had, somebody may have taken the account away.
        if user is None or await self._user_store.identity(tx, known.provider, known.provider_id) is None:
            raise Raced
        said = dict(person.claims)
        await self._user_store.update_identity(tx, known.id, identity_data=said, last_sign_in_at=utc_now())
        metadata = {**user.user_metadata, **said}
        changed = {"raw_user_meta_data": metadata, "raw_app_meta_data": _with_provider(user, known.provider)}
        if metadata != user.user_metadata or changed["raw_app_meta_data"] != user.app_metadata:
            user = await self._changed(tx, caller, user, changed)
        return await self._confirmed(tx, caller, user, known, person)

    async def _joined(
        self, tx: Transaction, caller: Caller, owner: Owner, provider: str, person: Person
    ) -> Found:
        user = await self._user_store.lock(tx, owner.id)
        if user is None:
            raise Raced
        if not owner.proven and not self._is_theirs(user):
            raise _taken()
        identity = await self._identified(tx, user, provider, person, caller)
        changed = {
            "raw_user_meta_data": {**user.user_metadata, **person.claims},
            "raw_app_meta_data": _with_provider(user, provider),
        }
        user = await self._changed(tx, caller, user, changed)
        return await self._confirmed(tx, caller, user, identity, person)

    async def _new(self, tx: Transaction, caller: Caller, provider: str, person: Person) -> Found:
        if person.email is None:
            raise AccountError(500, "unexpected_failure", "Error getting user email from external provider")
        # Whose address this is, a provider that has not verified it cannot say.
        if not person.email_verified and await self._user_store.by_email(tx, person.email) is not None:
            raise unverified(provider, sent=False)
        if not self._rules.signup:
            raise AccountError(422, "signup_disabled", "Signups not allowed for this instance")
        confirmed = person.email_verified or not self._rules.confirms
        new = NewUser(
            email=person.email,
            email_confirmed=confirmed,
            identity=NewIdentity(provider, person.id, dict(person.claims)),
            signs_up=True,
        )
        try:
            user = await self._users.create(tx, caller, new)
        except AccountError as error:
            raise Raced from error
        return Found(user, unconfirmed=not confirmed)

    async def _owner(self, tx: Transaction, person: Person) -> Owner | None:
        """The main address comes first; of the others, one user at most may have any."""
        main = [person.email] if person.email is not None and person.email_verified else []
        owners = await self._store.owners(tx, [*main, *sorted(person.verified.difference(main))])
        if not owners:
            return None
        if owners[0].email not in main and len({each.id for each in owners}) > 1:
            raise AccountError(409, "conflict", "Several users have the addresses of this account")
        return owners[0]

    def _is_theirs(self, user: User) -> bool:
        """
        Whether the address is shown to be the user's. A user who has confirmed nothing is nobody yet, and is taken over
        by who has.
        """
        return user.confirmed_at is None or (self._rules.confirms and user.email_confirmed_at is not None)

    async def _confirmed(
        self, tx: Transaction, caller: Caller, user: User, identity: Identity, person: Person
    ) -> Found:
        """
        Confirms the address if the provider vouches for it. All that somebody left behind there before is taken away:
        a password, another identity or a session would let them into the account of the address's owner.
        """
        if user.email is None or user.confirmed_at is not None:
            return Found(user)
        if user.email not in person.verified:
            return Found(user, unconfirmed=self._rules.confirms)
        await self._store.keep_one_identity(tx, user.id, identity.id)
        await self._sessions.end(tx, caller, user.id, "global", None, "taken_over")
        changed = {
            "email_confirmed_at": utc_now(),
            "email_change": None,
            "encrypted_password": None,
            "raw_user_meta_data": dict(person.claims),
            "raw_app_meta_data": {**user.app_metadata, **_only(identity.provider)},
        }
        return Found(await self._changed(tx, caller, user, changed))

    async def _identified(
        self, tx: Transaction, user: User, provider: str, person: Person, caller: Caller
    ) -> Identity:
        identity = await self._user_store.insert_identity(
            tx, user.id, provider, person.id, dict(person.claims)
        )
        if identity is None:
            raise Raced
        said, whose = {"provider": provider}, str(user.id)
        await self._audit.record(
            tx, caller, "identity.create", "identity", str(identity.id), said, user_id=whose
        )
        return identity

    async def _changed(self, tx: Transaction, caller: Caller, user: User, columns: dict[str, Any]) -> User:
        after = await self._user_store.update(tx, user.id, **columns)
        await self._users.changed(tx, caller, user, after)
        return after


def unverified(provider: str, *, sent: bool) -> AccountError:
    what = (
        f"A confirmation email has been sent to your {provider} email"
        if sent
        else f"Verify the email with {provider} in order to sign in"
    )
    return AccountError(403, "provider_email_needs_verification", f"Unverified email with {provider}. {what}")


def _taken() -> AccountError:
    return AccountError(422, "email_exists", "A user with this email address has already been registered")


def _with_provider(user: User, provider: str) -> dict[str, Any]:
    first = user.app_metadata.get("provider", provider)
    known = user.app_metadata.get("providers")
    named = [each for each in known if isinstance(each, str)] if isinstance(known, list) else []
    return {
        **user.app_metadata,
        "provider": first,
        "providers": named if provider in named else [*named, provider],
    }


def _only(provider: str) -> dict[str, Any]:
    return {"provider": provider, "providers": [provider]}
