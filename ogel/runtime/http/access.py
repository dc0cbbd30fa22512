"""Access: what each route and stream declares about its callers: who, how often, how much, and what is audited."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from ogel.kernel.principal import Kind, Principal
from ogel.kernel.roles import parse_role, roles_of
from ogel.runtime.rates.policy import RateClass

# open    everybody; credentials are not even looked at.
# anyone  everybody; who says so in a way that is good is who it says, and others are nobody in particular.
# key     API keys, and operators.
# user    people who have signed in.
# known   keys, operators and users.
Who = Literal["open", "anyone", "key", "user", "known"]

KINDS: Mapping[Who, frozenset[Kind]] = {
    "key": frozenset({"key", "admin", "system"}),
    "user": frozenset({"user"}),
    "known": frozenset({"key", "admin", "system", "user"}),
}
# Most bodies are far smaller.
BODY_BYTES = 128 * 1024


class Access(Struct, frozen=True):
    """
    scope           what a key must hold (`webhooks:read`). People hold none: what they may is for the service to say.
    rate            the class by which callers are limited.
    max_body_bytes  a larger body is answered with 413; None: whatever the process takes (OGEL_MAX_BODY_BYTES).
    audit           actions that the audit log has of it, one of them each time it changed something.
    role            what people must have (`label:staff`, `team:ID/owner`: kernel/roles.py). Keys are not asked for it.
    always          it is answered during maintenance, too: health, metrics, public documents.

    Raises ValueError: a key needs a scope, who is not asked has none, and only people have roles.
    """

    who: Who
    scope: str | None
    rate: RateClass
    max_body_bytes: int | None = BODY_BYTES
    audit: tuple[str, ...] = ()
    role: str | None = None
    always: bool = False

    def __post_init__(self) -> None:
        if (self.who in ("open", "anyone") and self.scope is not None) or (
            self.who == "key" and self.scope is None
        ):
            raise ValueError(f"access for {self.who!r} cannot have the scope {self.scope!r}")
        if self.role is not None:
            parse_role(self.role)
            if self.who not in ("user", "known"):
                raise ValueError(f"access for {self.who!r} cannot have the role {self.role!r}")

    def audited(self, *actions: str) -> Access:
        return replace(self, audit=actions)

    def taking(self, max_body_bytes: int | None) -> Access:
        return replace(self, max_body_bytes=max_body_bytes)

    def lacks(self, principal: Principal) -> str | None:
        """Returns why this principal is refused; None: it is allowed."""
        if self.who in ("open", "anyone"):
            return None
        if principal.kind not in KINDS[self.who]:
            return f"This is not for a principal of the kind {principal.kind!r}."
        if principal.kind == "user":
            if self.role is not None and self.role not in roles_of(principal):
                return f"This is for who has the role {self.role!r}."
        elif self.scope is not None and not principal.may(self.scope):
            return f"This key lacks the scope {self.scope!r}."
        return None

    def needed(self, principal: Principal) -> str:
        """What a stream of the principal's needs for as long as it goes on: a scope or a role; empty: neither."""
        return (self.role if principal.kind == "user" else self.scope) or ""


# For health, metadata and the like: no credentials are needed.
OPEN = Access("open", None, "none", always=True)
