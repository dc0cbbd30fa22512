"""From a person that a provider vouches for to a user who may sign in, and does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from msgspec import Struct
from psycopg.errors import UniqueViolation

from ogel.features.accounts.codes.links import LinkOptions
from ogel.features.accounts.codes.service import CodeService
from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.oauth.matching import Found, Raced, unverified
from ogel.features.accounts.users.user import User
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import Unavailable
from ogel.kernel.principal import Caller
from ogel.runtime.database.database import Database, Transaction

_TRIES = 3

T = TypeVar("T")


class Admittance(Struct, Generic[T], frozen=True):
    """
    find  returns the user; it may be called again.
    then  signs the user in, in the same transaction.
    link  where a mail leads that the user has to answer first, because nobody has verified the address.
    """

    provider: str
    find: Callable[[Transaction], Awaitable[Found]]
    then: Callable[[Transaction, User], Awaitable[T]]
    link: LinkOptions


class Admitting:
    def __init__(self, database: Database, codes: CodeService) -> None:
        self._database = database
        self._codes = codes

    async def admit(self, caller: Caller, wanted: Admittance[T]) -> T:
        """
        Raises AccountError, also for who has to answer a mail first, and Unavailable when somebody else goes on
        changing the same user.
        """
        raced: Exception | None = None
        for _ in range(_TRIES):
            try:
                async with self._database.transaction() as tx:
                    found = await wanted.find(tx)
                    _check_not_banned(found.user)
                    if not found.unconfirmed:
                        return await wanted.then(tx, found.user)
            except (Raced, UniqueViolation) as error:
                raced = error
                continue
            await self._ask_to_confirm(caller, found.user, wanted.link)
            raise unverified(wanted.provider, sent=True)
        raise Unavailable("This account is changing at the moment.", retry_after_seconds=1) from raced

    async def _ask_to_confirm(self, caller: Caller, user: User, link: LinkOptions) -> None:
        assert user.email is not None
        await self._codes.admit(user.email, "signup")
        async with self._database.transaction() as tx:
            await self._codes.send(tx, caller, user, "signup", link)


def _check_not_banned(user: User) -> None:
    if user.banned_until is not None and user.banned_until > utc_now():
        raise AccountError(403, "user_banned", "User is banned")
