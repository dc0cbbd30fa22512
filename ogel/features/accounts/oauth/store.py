"""What sign-in with other sites reads and writes beside users and their sessions."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from ogel.features.accounts.errors import AccountError
from ogel.runtime.database.database import Queries, Transaction

_SQL = Queries.beside(__name__)


class Flow(Struct, frozen=True):
    """
    A sign-in whose browser has come back. `challenge` is the client's, which then gets a code for tokens (PKCE);
    `linking`: the account of the other site is added to the user.
    """

    id: UUID
    provider: str
    user_id: UUID | None
    challenge: str | None
    redirect_to: str
    sealed: bytes
    linking: bool


class Owner(Struct, frozen=True):
    """Somebody whose address it is; `proven`: a provider has verified that."""

    id: UUID
    email: str
    proven: bool


class OAuthStore:
    async def take(self, tx: Transaction, id: UUID) -> Flow | None:
        return await tx.one(_SQL.take_flow, {"id": id}, Flow)

    async def owners(self, tx: Transaction, emails: Sequence[str]) -> list[Owner]:
        """Those of the first address come first."""
        return await tx.all(_SQL.owners, {"emails": list(emails)}, Owner)

    async def keep_one_identity(self, tx: Transaction, user_id: UUID, kept: UUID) -> None:
        await tx.execute(_SQL.drop_identities, {"user_id": user_id, "kept": kept})

    async def check_may_link(self, tx: Transaction, user_id: UUID, session_id: str) -> None:
        """
        Another account is another way in, so that it takes the second factor of who has one. Raises AccountError.
        """
        may = await tx.value(_SQL.may_link, {"user_id": user_id, "session_id": session_id})
        if may is None:
            raise AccountError(403, "session_not_found", "The session that asked for this has ended")
        if not may:
            raise AccountError(403, "insufficient_aal", "AAL2 required to link an identity")
