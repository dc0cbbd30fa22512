"""
Acting for a principal: as its role in the database, with its claims where policies look for them, as PostgREST has it.

All is said with `SET LOCAL`, so that the end of the transaction takes it back, whichever end that is.
"""

from __future__ import annotations

from typing import Any

import msgspec
import psycopg
from psycopg import AsyncConnection

from ogel.kernel.errors import Forbidden, Unavailable
from ogel.kernel.principal import Principal
from ogel.kernel.roles import roles_of
from ogel.runtime.database.schemas import SEARCH_PATH

# The schema that belongs to the users.
OF_USERS = "public"
# Roles that may log in, or that have the rights of ours, are none that a token may name; nor is an empty name a role.
_BEGIN = b"""
SELECT set_config('role', coalesce((
         SELECT rolname::text FROM pg_roles
         WHERE rolname = %(role)s AND NOT rolcanlogin AND NOT pg_has_role(oid, session_user, 'MEMBER')
       ), ''), true),
       set_config('request.jwt.claims', %(claims)s, true),
       set_config('ogel.roles', %(roles)s, true),
       set_config('search_path', %(path)s, true)
"""
_END = b"""
SELECT set_config('role', 'none', true), set_config('request.jwt.claims', '', true),
       set_config('ogel.roles', '', true), set_config('search_path', %(path)s, true)
"""


async def begin(connection: AsyncConnection[Any], principal: Principal, path: str) -> None:
    if principal.role is None:
        raise Forbidden("This key reads no rows: that takes the scope 'accounts:write'.")
    said = {
        "role": principal.role,
        "claims": msgspec.json.encode(claims_of(principal)).decode(),
        "roles": " ".join(roles_of(principal)),
        "path": path,
    }
    try:
        await connection.execute(_BEGIN, said)
    except (psycopg.errors.InvalidParameterValue, psycopg.errors.InsufficientPrivilege) as error:
        raise Unavailable(
            f"The database does not let Ogel act as the role {principal.role!r}: see `ogel doctor`."
        ) from error


async def end(connection: AsyncConnection[Any]) -> None:
    await connection.execute(_END, {"path": SEARCH_PATH})


def claims_of(principal: Principal) -> dict[str, Any]:
    """Returns what `auth.jwt()` answers: a user's claims; of others their role alone."""
    if principal.kind != "user":
        return {"role": principal.role}
    return {**principal.claims, "sub": principal.id, "role": principal.role}
