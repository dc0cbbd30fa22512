"""Sessions: begun, raised by a second factor, refreshed, ended. See docs/decisions/0049."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple
from uuid import UUID, uuid4

import msgspec
import structlog

from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.sessions import refresh_token as refresh_tokens
from ogel.features.accounts.sessions.events import CREATED, ENDED, session_events
from ogel.features.accounts.sessions.metrics import SessionMetrics
from ogel.features.accounts.sessions.refresh_token import RefreshToken
from ogel.features.accounts.sessions.session import (
    Account,
    Issued,
    Session,
    token_key_purpose,
)
from ogel.features.accounts.sessions.store import Found, Refreshed, SessionStore
from ogel.features.accounts.signing.tokens import Tokens
from ogel.features.accounts.users.user import User
from ogel.kernel.errors import NotFound, Unavailable
from ogel.kernel.principal import Caller
from ogel.kernel.roles import CLAIM, claim_of_token
from ogel.runtime.audit import AuditEntry, AuditTrail
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.outbox import Outbox
from ogel.runtime.secrets.vault import Unsealable, Vault

log = structlog.get_logger(__name__)

Which = Literal["global", "local", "others"]
# Why a session has ended, where somebody has ended it who did not sign out with it.
REVOKED = "revoked"
NO_SESSION = "Session from session_id claim in JWT does not exist"
_REUSED = "refresh_token_already_used"
_NOT_FOUND = "Invalid Refresh Token: Refresh Token Not Found"
# How often a refresh looks again because another one of the same session was faster.
_TRIES = 5
_MOST_KEYS = 10_000


class Lifetimes(NamedTuple):
    """
    In seconds: a session that is not refreshed ends after `idle`, any after `absolute`; for `reuse` the token before
    the current one is exchanged for it. `per_user` is the most sessions that one user has.
    """

    idle: float
    absolute: float
    reuse: int
    per_user: int


class SessionService:
    def __init__(
        self,
        database: Database,
        store: SessionStore,
        tokens: Tokens,
        vault: Vault,
        outbox: Outbox,
        audit: AuditTrail,
        changed: Callable[[UUID], None],
        lifetimes: Lifetimes,
        metrics: SessionMetrics,
    ) -> None:
        """`changed` gets the user of whom what is remembered anywhere is out of date."""
        self._database = database
        self._store = store
        self._tokens = tokens
        self._vault = vault
        self._outbox = outbox
        self._audit = audit
        self.changed = changed
        self._lifetimes = lifetimes
        self._refreshes = metrics.refreshes
        # Of sessions that were refreshed here, the oldest first.
        self._token_keys: dict[UUID, bytes] = {}

    async def begin(self, tx: Transaction, caller: Caller, user: User, method: str) -> Issued:
        """
        `method` is how the user has just shown who they are: password, otp, oauth, anonymous, … Their oldest sessions
        end where there are too many.
        """
        id, key = uuid4(), os.urandom(refresh_tokens.KEY_BYTES)
        amr = [_by(method)]
        row = {
            "id": id,
            "user_id": user.id,
            "amr": _json(amr),
            "token_key": self._vault.seal(key, token_key_purpose(str(id))),
            "ip": caller.ip,
            "user_agent": caller.user_agent,
            "idle_seconds": self._lifetimes.idle,
            "lifetime_seconds": self._lifetimes.absolute,
        }
        await self._store.insert(tx, row)
        account = await self._store.signed_in(tx, user.id)
        await self._outbox.publish(tx, session_events(CREATED, user.id, [id], method=method))
        await self._audit.record(
            tx, caller, "auth.sign_in", "session", str(id), {"method": method}, user_id=str(user.id)
        )
        excess = await self._store.end_oldest(tx, user.id, id, self._lifetimes.per_user - 1)
        await self._ended(tx, caller, user.id, excess, "too_many")
        return await self._issued(account, id, 0, key, "aal1", amr, tx)

    async def verified(
        self, tx: Transaction, caller: Caller, session_id: UUID, method: str, factor_id: UUID
    ) -> Issued:
        """The same session, raised to aal2. Raises AccountError when it has ended."""
        parameters = {
            "session_id": session_id,
            "factor_id": factor_id,
            "amr": _json([_by(method)]),
            "vars": _json({"method": method}),
            "reuse_seconds": self._lifetimes.reuse,
        }
        found = await self._store.verified(tx, parameters)
        if found is None:
            raise AccountError(403, "session_not_found", NO_SESSION)
        metadata, user_id = {"method": method, "factor": str(factor_id)}, str(found.user_id)
        await self._audit.record(
            tx, caller, "auth.factor_verified", "session", str(session_id), metadata, user_id=user_id
        )
        self.changed_after(tx, found.user_id)
        account = await self._store.account(tx, found.user_id)
        key = self._unsealed(session_id, found.token_key)
        return await self._issued(account, session_id, found.counter, key, "aal2", found.amr, tx)

    async def downgrade(self, tx: Transaction, user_id: UUID, factor_id: UUID) -> None:
        """The factor is gone: the user's sessions that it has raised are as they were before."""
        await self._store.downgrade(tx, user_id, factor_id)

    async def refresh(self, caller: Caller, refresh_token: str) -> Issued:
        """See `_refreshed`; counted."""
        try:
            outcome, issued = await self._refreshed(caller, refresh_token)
        except AccountError as error:
            self._refreshes.labels("reused" if error.code == _REUSED else "refused").inc()
            raise
        self._refreshes.labels(outcome).inc()
        return issued

    async def _refreshed(self, caller: Caller, refresh_token: str) -> tuple[str, Issued]:
        """
        Exchanges the current token for the next one, and the one before it for the current one while that may be a
        second tab, or a client that never got the answer. Any other token was stolen, or its successor was: the session
        ends. Raises AccountError with GoTrue's codes.
        """
        token = _read(refresh_token)
        key = self._token_keys.get(token.session_id)
        if key is not None and token.is_genuine(key):
            async with self._database.autocommit() as tx:
                refreshed = await self._step(tx, caller, token, token.counter)
            if refreshed is not None:
                return "stepped", await self._issued_again(
                    token.session_id, token.counter + 1, key, refreshed
                )
        for _ in range(_TRIES):
            async with self._database.autocommit() as tx:
                found = await self._store.to_refresh(tx, token.session_id)
                key = self._checked(token, found)
                assert found is not None
                behind = found.counter - token.counter
                if behind > 1 or (behind == 1 and not found.within):
                    break
                if behind == 1:
                    counter = found.counter
                    refreshed = await self._store.as_it_is(tx, token.session_id, counter)
                else:
                    # A genuine token that is ahead of its session was given out before the database was put back to an
                    # earlier time.
                    counter = token.counter + 1
                    refreshed = await self._step(tx, caller, token, found.counter)
            if refreshed is not None:
                outcome = "again" if behind == 1 else "stepped"
                return outcome, await self._issued_again(token.session_id, counter, key, refreshed)
        else:
            raise Unavailable("Others refresh this session all the time.", retry_after_seconds=1)
        await self._end_reused(caller, token, found)
        raise AccountError(400, _REUSED, "Invalid Refresh Token: Already Used")

    def _checked(self, token: RefreshToken, found: Found | None) -> bytes:
        """Returns the session's key, and remembers it: the next refresh needs one statement less."""
        if found is None:
            raise AccountError(400, "refresh_token_not_found", _NOT_FOUND)
        key = self._unsealed(token.session_id, found.token_key)
        if not token.is_genuine(key):
            raise AccountError(400, "refresh_token_not_found", _NOT_FOUND)
        if found.is_banned:
            raise AccountError(400, "user_banned", "Invalid Refresh Token: User Banned")
        if not found.is_live:
            raise AccountError(400, "session_expired", "Invalid Refresh Token: Session Expired")
        self._token_keys[token.session_id] = key
        if len(self._token_keys) > _MOST_KEYS:
            del self._token_keys[next(iter(self._token_keys))]
        return key

    async def _step(
        self, tx: Transaction, caller: Caller, token: RefreshToken, counter: int
    ) -> Refreshed | None:
        parameters = {
            "session_id": token.session_id,
            "counter": counter,
            "next": token.counter + 1,
            "ip": caller.ip,
            "user_agent": caller.user_agent,
            "reuse_seconds": self._lifetimes.reuse,
            "idle_seconds": self._lifetimes.idle,
            "lifetime_seconds": self._lifetimes.absolute,
        }
        return await self._store.step(tx, parameters)

    async def _issued_again(self, session_id: UUID, counter: int, key: bytes, refreshed: Refreshed) -> Issued:
        return await self._issued(refreshed.account, session_id, counter, key, refreshed.aal, refreshed.amr)

    async def _end_reused(self, caller: Caller, token: RefreshToken, found: Found) -> None:
        user_id = found.user_id
        log.warning("session.refresh_token_reused", session=str(token.session_id), user=str(user_id))
        async with self._database.transaction() as tx:
            metadata, id = {"steps_behind": found.counter - token.counter}, str(token.session_id)
            await self._audit.record(
                tx, caller, "auth.refresh_reuse", "session", id, metadata, user_id=str(user_id)
            )
            await self.end(tx, caller, user_id, "local", token.session_id, "refresh_token_reused")

    async def end(
        self,
        tx: Transaction,
        caller: Caller,
        user_id: UUID,
        which: Which,
        session_id: UUID | None,
        reason: str,
    ) -> int:
        """
        Ends all sessions of the user, the given one, or all but that. Returns how many. From the commit on they are
        refused here, and everywhere within a second; streams that they opened end, too.
        """
        ended = await self._store.end(tx, user_id, which, session_id)
        await self._ended(tx, caller, user_id, ended, reason)
        return len(ended)

    async def of_user(self, user_id: UUID) -> list[Session]:
        """The last refreshed first. Raises NotFound without such a user."""
        async with self._database.autocommit() as tx:
            found = await self._store.of_user(tx, user_id)
            if not found and not await self._store.knows(tx, user_id):
                raise NotFound(f"There is no user {str(user_id)!r}.")
        return found

    async def end_of_user(self, caller: Caller, user_id: UUID) -> None:
        """Raises NotFound without such a user."""
        async with self._database.transaction() as tx:
            ended = await self.end(tx, caller, user_id, "global", None, REVOKED)
            if not ended and not await self._store.knows(tx, user_id):
                raise NotFound(f"There is no user {str(user_id)!r}.")

    async def end_one(self, caller: Caller, session_id: UUID, user_id: UUID | None = None) -> None:
        """With a `user_id` only a session of that user. Raises NotFound."""
        async with self._database.transaction() as tx:
            owner = await self._store.owner(tx, session_id)
            if owner is None or user_id not in (None, owner):
                raise NotFound(f"There is no session {str(session_id)!r}.")
            await self.end(tx, caller, owner, "local", session_id, REVOKED)

    async def _ended(
        self, tx: Transaction, caller: Caller, user_id: UUID, ended: Sequence[UUID], reason: str
    ) -> None:
        if not ended:
            return
        await self._outbox.publish(tx, session_events(ENDED, user_id, ended, reason=reason))
        entries = [
            AuditEntry(caller, "auth.session_ended", "session", str(id), {"reason": reason}, str(user_id))
            for id in ended
        ]
        await self._audit.record_all(tx, entries)
        self.changed_after(tx, user_id)

    def changed_after(self, tx: Transaction, user_id: UUID) -> None:
        """Says `changed` when the transaction is committed."""
        tx.at_end(lambda committed: self.changed(user_id) if committed else None)

    def _unsealed(self, session_id: UUID, token_key: bytes) -> bytes:
        """Raises Unavailable, so that clients keep what they have until somebody has mended the settings."""
        try:
            return self._vault.unseal(bytes(token_key), token_key_purpose(str(session_id)))
        except Unsealable as error:
            raise Unavailable("What this session is signed with cannot be read.") from error

    async def _issued(
        self,
        account: Account,
        session_id: UUID,
        counter: int,
        key: bytes,
        aal: str,
        amr: Sequence[Mapping[str, Any]],
        tx: Transaction | None = None,
    ) -> Issued:
        claims = _claims(account, session_id, aal, amr)
        access_token, expires_at = await self._tokens.sign(claims, tx)
        return Issued(
            access_token=access_token,
            expires_in=self._tokens.lifetime_seconds,
            expires_at=expires_at,
            refresh_token=refresh_tokens.write(session_id, counter, key),
            user=account.user,
            identities=account.identities,
            factors=account.factors,
            session_id=session_id,
        )


def _read(refresh_token: str) -> RefreshToken:
    try:
        return refresh_tokens.read(refresh_token)
    except ValueError as error:
        if refresh_tokens.is_of_supabase(refresh_token):
            raise AccountError(400, "refresh_token_not_found", _NOT_FOUND) from error
        raise AccountError(400, "validation_failed", "Refresh token is not valid") from error


def _claims(
    account: Account, session_id: UUID, aal: str, amr: Sequence[Mapping[str, Any]]
) -> Mapping[str, object]:
    """As GoTrue's: what row-level security and apps read of a user; and roles, where there are any."""
    user, roles = account.user, claim_of_token(account.roles)
    return {
        "sub": str(user.id),
        "email": user.email or "",
        "phone": user.phone or "",
        "app_metadata": user.app_metadata,
        "user_metadata": user.user_metadata,
        "role": user.role,
        "aal": aal,
        "amr": list(amr),
        "session_id": str(session_id),
        "is_anonymous": user.is_anonymous,
        **({} if roles is None else {CLAIM: roles}),
    }


def _by(method: str) -> dict[str, object]:
    """An entry of `amr` (RFC 8176), as GoTrue has them."""
    return {"method": method, "timestamp": int(time.time())}


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
