"""Who may do what: keys by their scopes, everybody else by policies on the rows; permissions of buckets are such."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

import psycopg
import structlog

from ogel.features.storage.errors import policy_failed
from ogel.kernel.principal import Principal
from ogel.runtime.database.database import Transaction

log = structlog.get_logger(__name__)

READ, WRITE = "storage:read", "storage:write"
# Where policies and the functions they call find tables: ours first, which may stand in either.
SEARCH_PATH = "ogel_storage,storage,public"


# Classes of SQLSTATE that what users wrote can end with, in policies and triggers: a value that a function does not
# take, a name that is not there, an exception. Our own statements do not: what they get is looked at before.
_OF_USERS = ("22", "38", "39", "42", "P0")
_NOT_ALLOWED = "42501"


def is_operator(principal: Principal, scope: str) -> bool:
    """Whether no policy holds for it."""
    return principal.kind != "user" and principal.may(scope)


def on_behalf(tx: Transaction, principal: Principal, scope: str) -> AbstractAsyncContextManager[None]:
    """
    For the statements that touch `buckets` and `objects`: as Ogel for a key with that scope, else as the principal's
    role, under the policies. What a policy refuses is psycopg's InsufficientPrivilege, or a row that is not found; one
    that cannot be decided allows nothing: StorageError AccessDenied.
    """
    if is_operator(principal, scope):
        return nullcontext()
    return _under_policies(tx, principal)


@asynccontextmanager
async def _under_policies(tx: Transaction, principal: Principal) -> AsyncIterator[None]:
    try:
        async with tx.acting_as(principal, SEARCH_PATH):
            yield
    except psycopg.Error as error:
        state = error.sqlstate or ""
        if state == _NOT_ALLOWED or not state.startswith(_OF_USERS):
            raise
        log.warning("storage.policy_failed", sqlstate=state, error=str(error.diag.message_primary)[:200])
        raise policy_failed(error.diag.message_primary or state) from error


def owner_of(principal: Principal) -> str | None:
    """
    The id that objects and buckets have as their owner's; None for keys, but for what is done by a URL that a user has
    signed.
    """
    return principal.id if principal.kind == "user" else principal.claims.get("owner")
