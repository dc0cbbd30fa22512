"""People with accounts, and sessions of theirs, made as sign-ins make them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar
from uuid import UUID

from ogel.features.accounts.services import Accounts
from ogel.features.accounts.sessions.session import Issued
from ogel.features.accounts.users.user import NewUser, User
from ogel.kernel.ids import new_id
from ogel.kernel.principal import ANONYMOUS, Caller
from ogel.runtime.database.database import Transaction
from tests.support.world import World

Answer = TypeVar("Answer")
CALLER = Caller(ANONYMOUS, "req_1", "127.0.0.1", "a test")


class People:
    """Of a World: what its services do without a route for it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.accounts: Accounts = world.platform.features["accounts"].offers

    def run(self, coroutine: Coroutine[Any, Any, Answer]) -> Answer:
        """On the loop of the World."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._world._loop).result(30)

    def within(self, work: Callable[[Transaction], Awaitable[Answer]]) -> Answer:
        """In a transaction."""

        async def run() -> Answer:
            async with self._world.platform.core.database.transaction() as tx:
                return await work(tx)

        return self.run(run())

    def somebody(self, **columns: Any) -> User:
        new = NewUser(email=f"{new_id('ada')}@example.com", email_confirmed=True, **columns)
        return self.within(lambda tx: self.accounts.users.create(tx, CALLER, new))

    def signs_in(self, user: User, method: str = "password") -> Issued:
        return self.within(lambda tx: self.accounts.sessions.begin(tx, CALLER, user, method))

    def ends(self, issued: Issued) -> None:
        id: UUID = issued.session_id
        self.within(
            lambda tx: self.accounts.sessions.end(tx, CALLER, issued.user.id, "local", id, "signed_out")
        )
