"""
Roles: what permissions name instead of each user, in Appwrite's grammar.

any                     everybody
guests                  who has not signed in
users                   who has; `users/verified` with a confirmed address or number, `users/unverified` without
user:ID                 one user; `user:ID/verified`, `user:ID/unverified` likewise
team:ID, team:ID/ROLE   the members of a team; those with that role in it
member:ID               one membership, which ends when the user leaves the team
label:NAME              users whom an operator gave that label
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.json import encode

from ogel.kernel.principal import Principal

RoleKind = Literal["any", "guests", "users", "user", "team", "member", "label"]

# The claim of tokens, and of principals of the kind `user`: the roles that their id alone does not tell.
CLAIM = "roles"
# Of that claim in a token, as JSON. A token is sent with each request, and servers take 8 KiB of head and more.
MOST_CLAIM_BYTES = 2048

# Words of a team for what its members do, and labels. Neither `/` nor `:`, which stand between the parts of a role.
WORD = r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}"
_ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_STATUS = "(?:verified|unverified)"
_GRAMMAR = re.compile(
    f"(?P<plain>any|guests)|(?P<users>users)(?:/(?P<users_part>{_STATUS}))?"
    f"|user:(?P<user>{_ID})(?:/(?P<user_part>{_STATUS}))?"
    f"|team:(?P<team>{_ID})(?:/(?P<team_part>{WORD}))?"
    f"|member:(?P<member>{_ID})|label:(?P<label>{WORD})",
    re.ASCII,
)
_FORMS: dict[str, str] = {
    "any": "`any`",
    "guests": "`guests`",
    "users": "`users`, `users/verified` or `users/unverified`",
    "user": "`user:ID`, `user:ID/verified` or `user:ID/unverified`",
    "team": "`team:ID` or `team:ID/ROLE`",
    "member": "`member:ID`",
    "label": "`label:NAME`",
}
_SHOWN_CHARACTERS = 64


class Role(Struct, frozen=True):
    """
    id    of the user, team or membership, or the label's name; empty for any, guests and users.
    part  what stands behind the slash: `verified`, `unverified`, or a role in the team; empty for all of them.
    """

    kind: RoleKind
    id: str = ""
    part: str = ""

    def __str__(self) -> str:
        return f"{self.kind}{':' if self.id else ''}{self.id}{'/' if self.part else ''}{self.part}"


def parse_role(text: str) -> Role:
    """Raises ValueError with words for whoever wrote it, which complete "it …"."""
    found = _GRAMMAR.fullmatch(text)
    if found is None:
        raise ValueError(_complaint(text))
    parts = {name: value for name, value in found.groupdict().items() if value is not None}
    if plain := parts.get("plain"):
        return Role("any") if plain == "any" else Role("guests")
    if "users" in parts:
        return Role("users", "", parts.get("users_part", ""))
    if "user" in parts:
        return Role("user", parts["user"], parts.get("user_part", ""))
    if "team" in parts:
        return Role("team", parts["team"], parts.get("team_part", ""))
    return Role("member", parts["member"]) if "member" in parts else Role("label", parts["label"])


def is_of_people(text: str) -> bool:
    """Whether it is a role of those who have signed in, so that a route may ask for it."""
    found = _GRAMMAR.fullmatch(text)
    return found is not None and found["plain"] is None


def _complaint(text: str) -> str:
    kind = re.split("[:/]", text, maxsplit=1)[0]
    forms = _FORMS[kind] if kind in _FORMS else f"one of {', '.join(f'`{each}`' for each in _FORMS)}"
    shown = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
    return f"is no role: {shown!r}; it takes {forms}"


def roles_of(principal: Principal) -> frozenset[str]:
    """
    Returns every role that the principal has, so that a permission holds for it if one of its roles is among them.
    Keys and operators have `any` alone: what they may do is told by their scopes.
    """
    if principal.is_anyone:
        return frozenset(("any", "guests"))
    if principal.kind != "user":
        return frozenset(("any",))
    also: Sequence[str] = principal.claims.get(CLAIM, ())
    status = "verified" if "users/verified" in also else "unverified"
    whole = f"user:{principal.id}"
    return frozenset(("any", "users", f"users/{status}", whole, f"{whole}/{status}", *also))


def roles_claim(*, verified: bool, labels: Iterable[str], of_teams: Iterable[str]) -> list[str]:
    """
    Returns the claim of a user's principal; `of_teams` are the roles by membership, `verified` whether an address or a
    number is confirmed.
    """
    return [*(["users/verified"] if verified else []), *of_teams, *(f"label:{label}" for label in labels)]


def claim_of_token(roles: Sequence[str]) -> list[str] | None:
    """
    Returns what a token says of a principal's claim. None: nothing, as there is nothing to say, or too much; who reads
    only tokens then takes the user for a member of no team.
    """
    said = [role for role in roles if not role.startswith("users/")]
    return said if said and len(encode(said)) <= MOST_CLAIM_BYTES else None
