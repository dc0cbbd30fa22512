"""Who may do what: keys by their scopes, everybody else by policies on the rows; permissions of buckets are such."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, nullcontext

from ogel.kernel.principal import Principal
from ogel.runtime.database.database import Transaction

READ, WRITE = "storage:read", "storage:write"
# Where policies and the functions they call find tables: ours first, which may stand in either.
SEARCH_PATH = "ogel_storage,storage,public"


def is_operator(principal: Principal, scope: str) -> bool:
    """Whether no policy holds for it."""
    return principal.kind != "user" and principal.may(scope)


def on_behalf(tx: Transaction, principal: Principal, scope: str) -> AbstractAsyncContextManager[None]:
    """
    For the statements that touch `buckets` and `objects`: as Ogel for a key with that scope, else as the principal's
    role, under the policies. What a policy refuses is psycopg's InsufficientPrivilege, or a row that is not found.
    """
    if is_operator(principal, scope):
        return nullcontext()
    return tx.acting_as(principal, SEARCH_PATH)


def owner_of(principal: Principal) -> str | None:
    """
    The id that objects and buckets have as their owner's; None for keys, but for what is done by a URL that a user has
    signed.
    """
    return principal.id if principal.kind == "user" else principal.claims.get("owner")
