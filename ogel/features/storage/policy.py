"""Who may do what: keys by their scopes, everybody else by policies on the rows; permissions of buckets are such."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import structlog
from psycopg import errors

from ogel.features.storage.errors import StorageError, access_denied, database_refused
from ogel.kernel.principal import Principal
from ogel.runtime.database.database import Transaction

READ, WRITE = "storage:read", "storage:write"
# Where policies and the functions they call find tables: ours first, wherever the migration could make them. A schema
# that the role may not use is passed over, as `ogel` is where ours have one of their own.
SEARCH_PATH = "ogel_storage,ogel,storage,public"
# SQLSTATE of RAISE EXCEPTION, and the classes of those that what users wrote can end with: a value that a function does
# not take, a name that is not there. Our own statements do not: what they get is looked at before.
_RAISED = "P0001"
_OF_USERS = ("22", "38", "39", "42", "P0")

log = structlog.get_logger(__name__)


def is_operator(principal: Principal, scope: str) -> bool:
    """Whether no policy holds for it."""
    return principal.kind != "user" and principal.may(scope)


def on_behalf(tx: Transaction, principal: Principal, scope: str) -> AbstractAsyncContextManager[None]:
    """
    For the statements that touch `buckets` and `objects`: as Ogel for a key with that scope, else as the principal's
    role, under the policies. What a policy refuses is a row that is not found, and to who writes psycopg's
    InsufficientPrivilege. A policy or trigger that fails, or raises something, is told as StorageError.
    """
    return _as_ogel() if is_operator(principal, scope) else _under_policies(tx, principal, scope)


@asynccontextmanager
async def _as_ogel() -> AsyncIterator[None]:
    """No policy is asked, but triggers of users are."""
    try:
        yield
    except errors.InsufficientPrivilege:
        raise
    except errors.Error as error:
        raise _told(error) from error


@asynccontextmanager
async def _under_policies(tx: Transaction, principal: Principal, scope: str) -> AsyncIterator[None]:
    try:
        async with tx.acting_as(principal, SEARCH_PATH):
            yield
    except errors.InsufficientPrivilege as error:
        log.info("storage.refused_by_database", error=str(error))
        if scope == WRITE:
            raise
        raise access_denied() from error
    except errors.Error as error:
        raise _told(error) from error


def _told(error: errors.Error) -> Exception:
    """The error itself, if it is none of users."""
    if (failure := _failure_of(error)) is None:
        return error
    log.warning("storage.policy_failed", error=str(error))
    return failure


def _failure_of(error: errors.Error) -> StorageError | None:
    """
    Of what users wrote in SQL: what they raise is for the client to read; what else is said could tell of rows that it
    may not see.
    """
    state = error.sqlstate or ""
    if state == _RAISED:
        return database_refused("DatabaseError", error.diag.message_primary or "")
    if state.startswith(_OF_USERS):
        return database_refused("InvalidParameter", f"A policy or trigger failed with the SQLSTATE {state}")
    return None


def owner_of(principal: Principal) -> str | None:
    """
    The id that objects and buckets have as their owner's; None for keys, but for what is done by a URL that a user has
    signed.
    """
    return principal.id if principal.kind == "user" else principal.claims.get("owner")
