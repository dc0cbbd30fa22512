"""Who is asking, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Principal:
    """`id` is what audit records name (`key_…`, `admin`, `system`); scopes: `jobs:write`, `jobs:*`, or `*` for all."""

    id: str
    scopes: frozenset[str] = field(default_factory=frozenset)

    def may(self, scope: str) -> bool:
        """What its scopes say, and no more: whoever may publish events may not read those of others."""
        area = scope.partition(":")[0]
        return not self.scopes.isdisjoint({scope, f"{area}:*", "*"})


ANONYMOUS = Principal("anonymous")
SYSTEM = Principal("system", frozenset({"*"}))


@dataclass(frozen=True, slots=True)
class Caller:
    """One request's principal and where it came from, as the audit log keeps it."""

    principal: Principal
    request_id: str
    ip: str | None = None
    user_agent: str | None = None
