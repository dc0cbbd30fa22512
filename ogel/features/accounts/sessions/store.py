"""The sessions table, read together with the users who have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from ogel.features.accounts.sessions.session import Account, Session
from ogel.features.teams.contract import TEAM_ROLES
from ogel.runtime.database.database import Queries, Transaction
from ogel.runtime.purge import Purge

# A user with identities and factors as one JSON text, so that one query has it all.
_ACCOUNT = b"""
json_build_object(
    'user', (SELECT to_json(c) FROM (
      SELECT u.id, u.aud, u.role, u.email, u.email_confirmed_at, u.email_change, u.email_change_confirm_status, u.phone,
             u.phone_confirmed_at, u.confirmed_at, u.encrypted_password, u.invited_at, u.confirmation_sent_at,
             u.recovery_sent_at, u.email_change_sent_at, u.reauthentication_sent_at, u.last_sign_in_at,
             u.raw_app_meta_data AS app_metadata, u.raw_user_meta_data AS user_metadata, u.labels, u.banned_until,
             u.is_anonymous, u.is_sso_user, u.deleted_at, u.created_at, u.updated_at
    ) AS c),
    'identities', (SELECT coalesce(json_agg(i ORDER BY i.created_at, i.id), '[]') FROM identities AS i
                   WHERE i.user_id = u.id),
    'factors', (SELECT coalesce(json_agg(json_build_object(
      'id', f.id, 'user_id', f.user_id, 'friendly_name', f.friendly_name, 'factor_type', f.factor_type,
      'status', f.status, 'last_challenged_at', f.last_challenged_at, 'created_at', f.created_at,
      'updated_at', f.updated_at
    ) ORDER BY f.created_at, f.id), '[]') FROM mfa_factors AS f WHERE f.user_id = u.id),
    'team_roles', ARRAY(SELECT r.role FROM {team_roles} AS r WHERE r.user_id = u.id ORDER BY r.role)
  )::text"""
_SQL = Queries.beside(__name__, account=_ACCOUNT.replace(b"{team_roles}", TEAM_ROLES), team_roles=TEAM_ROLES)
_decoder = msgspec.json.Decoder(Account)


class Standing(NamedTuple):
    """How many seconds are left of a session, and what tells its user's roles."""

    seconds: float
    user_id: UUID
    is_verified: bool
    labels: list[str]
    team_roles: list[str]


class Found(NamedTuple):
    """A session to be refreshed. `within`: its previous token is still exchanged for the current one."""

    user_id: UUID
    counter: int
    within: bool
    token_key: bytes
    is_live: bool
    is_banned: bool


class Refreshed(NamedTuple):
    aal: str
    amr: list[dict[str, Any]]
    account: Account


class Verified(NamedTuple):
    user_id: UUID
    counter: int
    token_key: bytes
    amr: list[dict[str, Any]]


class SessionStore:
    async def insert(self, tx: Transaction, row: Mapping[str, object]) -> None:
        await tx.execute(_SQL.insert_session, row)

    async def signed_in(self, tx: Transaction, user_id: UUID) -> Account:
        await tx.execute(_SQL.signed_in, {"user_id": user_id})
        return await self.account(tx, user_id)

    async def account(self, tx: Transaction, user_id: UUID) -> Account:
        return _decoder.decode(await tx.value(_SQL.account, {"user_id": user_id}))

    async def standing(
        self, tx: Transaction, user_id: UUID, session_id: UUID
    ) -> tuple[Account | None, float, bool] | None:
        """
        Returns None without the user; else their account (None without the session), the seconds until the session
        ends, and whether they are banned.
        """
        rows = await tx.tuples(_SQL.standing, {"user_id": user_id, "session_id": session_id})
        if not rows:
            return None
        [(account, seconds, is_banned)] = rows
        return (None if account is None else _decoder.decode(account), seconds, is_banned)

    async def to_refresh(self, tx: Transaction, session_id: UUID) -> Found | None:
        rows = await tx.tuples(_SQL.to_refresh, {"session_id": session_id})
        return Found(*rows[0]) if rows else None

    async def step(self, tx: Transaction, parameters: Mapping[str, object]) -> Refreshed | None:
        """Returns None when the counter is another one by now, or the session is good no more."""
        return _refreshed(await tx.tuples(_SQL.step, parameters))

    async def as_it_is(self, tx: Transaction, session_id: UUID, counter: int) -> Refreshed | None:
        """Returns None when the counter is another one by now."""
        return _refreshed(await tx.tuples(_SQL.as_it_is, {"session_id": session_id, "counter": counter}))

    async def verified(self, tx: Transaction, parameters: Mapping[str, object]) -> Verified | None:
        rows = await tx.tuples(_SQL.verified, parameters)
        return Verified(*rows[0]) if rows else None

    async def downgrade(self, tx: Transaction, user_id: UUID, factor_id: UUID) -> None:
        await tx.execute(_SQL.downgrade, {"user_id": user_id, "factor_id": factor_id})

    async def end(self, tx: Transaction, user_id: UUID, which: str, session_id: UUID | None) -> list[UUID]:
        parameters = {"user_id": user_id, "which": which, "session_id": session_id}
        return [id for (id,) in await tx.tuples(_SQL.end_sessions, parameters)]

    async def end_oldest(self, tx: Transaction, user_id: UUID, session_id: UUID, others: int) -> list[UUID]:
        """Leaves `others` besides the given one."""
        parameters = {"user_id": user_id, "session_id": session_id, "others": others}
        return [id for (id,) in await tx.tuples(_SQL.end_oldest, parameters)]

    async def standings(self, tx: Transaction, ids: Sequence[str]) -> dict[str, Standing]:
        """Those of sessions that have not ended, by id."""
        rows = await tx.tuples(_SQL.standings, {"ids": list(ids)})
        return {id: Standing(*rest) for id, *rest in rows}

    async def owner(self, tx: Transaction, session_id: UUID) -> UUID | None:
        found: UUID | None = await tx.value(_SQL.owner, {"session_id": session_id})
        return found

    async def knows(self, tx: Transaction, user_id: UUID) -> bool:
        """Whether there is such a user."""
        return await tx.value(_SQL.knows, {"user_id": user_id}) is not None

    async def of_user(self, tx: Transaction, user_id: UUID) -> list[Session]:
        """The last refreshed first."""
        return await tx.all(_SQL.list_sessions, {"user_id": user_id}, Session)


def _refreshed(rows: Sequence[tuple[Any, ...]]) -> Refreshed | None:
    if not rows:
        return None
    [(aal, amr, account)] = rows
    return Refreshed(aal, amr, _decoder.decode(account))


def purge_of_sessions(retention_days: float) -> Purge:
    return Purge.of_queries(
        "sessions",
        "sessions that were not refreshed in time",
        retention_days,
        count=_SQL.count_over,
        batch=_SQL.purge_over,
    )
