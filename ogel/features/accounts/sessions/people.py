"""Who is behind an access token: its session is looked up at most about once a second."""

from __future__ import annotations

import time
from collections.abc import Mapping
from uuid import UUID

from msgspec import Struct

from ogel.features.accounts.errors import AccountError, BadToken
from ogel.features.accounts.sessions.metrics import SessionMetrics
from ogel.features.accounts.sessions.service import NO_SESSION
from ogel.features.accounts.sessions.session import Account
from ogel.features.accounts.sessions.store import SessionStore
from ogel.features.accounts.signing.tokens import Claims, Tokens
from ogel.kernel.principal import Caller, Principal
from ogel.kernel.roles import CLAIM
from ogel.runtime.believed import Believed, Questions
from ogel.runtime.database.database import Database
from ogel.runtime.http.credentials import Credential

# Of people who are remembered, each with all that is shown of them. With more of them in one second the database is
# asked more often.
MOST_REMEMBERED = 1_000
_NO_USER = "User from sub claim in JWT does not exist"
# What the keys of a Supabase project may do here; `anon` may what everybody may.
_SCOPES_BY_ROLE: Mapping[str, frozenset[str]] = {
    "service_role": frozenset({"accounts:*", "storage:*"}),
    "supabase_admin": frozenset({"accounts:*", "storage:*"}),
}

# The user's id and the session's, as the token has them.
_Key = tuple[str, str]


class _Standing(Struct, frozen=True):
    """`refusal` is why nobody is let in with it, by GoTrue's code; `ends_at` is a monotonic time."""

    account: Account | None
    refusal: tuple[str, str] | None
    ends_at: float


class People:
    def __init__(
        self, database: Database, store: SessionStore, tokens: Tokens, metrics: SessionMetrics
    ) -> None:
        self._database = database
        self._store = store
        self._tokens = tokens
        self._refused = metrics.refused_tokens
        self._standings: Believed[_Key, _Standing] = Believed(MOST_REMEMBERED)
        self._questions = Questions(self._ask)

    async def authenticate(self, credential: Credential, caller: Caller) -> Principal | None:
        """Raises BadToken with the reason, which only who has the token hears."""
        try:
            return await self._known(credential.value)
        except BadToken as error:
            self._refused.labels(error.code).inc()
            raise

    async def _known(self, token: str) -> Principal:
        claims = await self._tokens.verify(token)
        if "sub" not in claims:
            role = claims["role"]
            return Principal("key", role, _SCOPES_BY_ROLE.get(role, frozenset()), role=role, claims=claims)
        account = await self._account(_key_of(claims))
        return Principal(
            "user",
            str(account.user.id),
            role=account.user.role,
            claims={**claims, CLAIM: account.roles},
            session=claims["session_id"],
        )

    async def current(self, principal: Principal) -> Account:
        """The account of a principal who has signed in, from memory. Raises BadToken."""
        return await self._account(_key_of(principal.claims))

    def forget_all(self) -> None:
        """A user or a session has changed."""
        self._standings.forget_all()
        self._questions.forget_all()

    async def _account(self, key: _Key) -> Account:
        standing = self._standings.find(key)
        if standing is None:
            standing, asked_at = await self._questions.answer(key)
            self._standings.remember(key, standing, asked_at)
        if standing.refusal is not None:
            code, reason = standing.refusal
            raise BadToken(reason, code)
        if standing.ends_at <= time.monotonic():
            raise BadToken("Session has expired", "session_expired")
        assert standing.account is not None
        return standing.account

    async def _ask(self, key: _Key) -> _Standing:
        user_id, session_id = _ids_of(key)
        asked_at = time.monotonic()
        async with self._database.autocommit() as tx:
            found = await self._store.standing(tx, user_id, session_id)
        if found is None:
            return _Standing(None, ("user_not_found", _NO_USER), asked_at)
        account, seconds, is_banned = found
        refusal = None
        if account is None:
            refusal = "session_not_found", NO_SESSION
        elif is_banned:
            refusal = "user_banned", "User is banned"
        return _Standing(account, refusal, asked_at + seconds)


def _key_of(claims: Claims) -> _Key:
    session_id = claims["session_id"]
    if not isinstance(session_id, str):
        raise BadToken("invalid claim: session_id claim must be a UUID")
    return claims["sub"], session_id


def _ids_of(key: _Key) -> tuple[UUID, UUID]:
    """Only tokens of elsewhere have other ids than ours."""
    user_id, session_id = key
    try:
        user = UUID(user_id)
    except ValueError as error:
        raise AccountError(400, "bad_jwt", "invalid claim: sub claim must be a UUID") from error
    try:
        return user, UUID(session_id)
    except ValueError as error:
        raise BadToken("invalid claim: session_id claim must be a UUID") from error
