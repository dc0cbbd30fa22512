"""Who is asking, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Principal:
    """`id` is what audit records name (`key_…`, `admin`, `system`); scopes are `webhooks:write` and such, or `*`."""

    id: str
    scopes: frozenset[str] = field(default_factory=frozenset)

    def may(self, scope: str) -> bool:
        if "*" in self.scopes or scope in self.scopes:
            return True
        area, _, action = scope.partition(":")
        # Whoever may change a thing may look at it.
        return f"{area}:*" in self.scopes or (action == "read" and f"{area}:write" in self.scopes)


ANONYMOUS = Principal("anonymous")
SYSTEM = Principal("system", frozenset({"*"}))


@dataclass(frozen=True, slots=True)
class Caller:
    """One request's principal and where it came from, as the audit log keeps it."""

    principal: Principal
    request_id: str
    ip: str | None = None
    user_agent: str | None = None
