"""Who is asking, and what they may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec import Struct

# anonymous  nobody has said who they are.
# system     Ogel itself, and operators at its command line.
# admin      who holds OGEL_ADMIN_KEY.
# key        who holds an API key.
# user       a person who has signed in.
Kind = Literal["anonymous", "system", "admin", "key", "user"]

# As whom the database lets a principal read rows, by the names that policies written for Supabase know: nobody in
# particular, a person who has signed in, and programs of the operators, for whom no policy holds.
ANON, AUTHENTICATED, SERVICE = "anon", "authenticated", "service_role"


@dataclass(frozen=True, slots=True)
class Principal:
    """
    id       what audit records name: `key_…`, `admin`, `system`, a user's id.
    scopes   `jobs:write`, `jobs:*`, or `*` for all.
    role     as whom the database lets it read rows: ANON, AUTHENTICATED, SERVICE or one of the operators' own; None: it
             reads none of the users' rows.
    claims   what its token says besides.
    session  the id of what it signed in with, and signs out of; None: it never did.
    """

    kind: Kind
    id: str
    scopes: frozenset[str] = frozenset()
    role: str | None = field(default=None, kw_only=True)
    claims: Mapping[str, Any] = field(default_factory=dict, kw_only=True, hash=False)
    session: str | None = field(default=None, kw_only=True)

    @property
    def is_anyone(self) -> bool:
        """Whether it may be any number of people: nobody said who they are, or all have the same publishable key."""
        return self.kind == "anonymous" or (self.kind == "key" and self.role == ANON)

    def may(self, scope: str) -> bool:
        """
        Whether its scopes allow `scope`. They imply nothing: a key that may publish events may not read the events of
        others.
        """
        scopes = self.scopes
        return scope in scopes or "*" in scopes or f"{scope.partition(':')[0]}:*" in scopes


ANONYMOUS = Principal("anonymous", "anonymous", role=ANON)
SYSTEM = Principal("system", "system", frozenset({"*"}), role=SERVICE)


class Caller(Struct, frozen=True):
    """The principal of a request and where the request came from, as the audit log records them."""

    principal: Principal
    request_id: str
    ip: str | None = None
    user_agent: str | None = None
