"""Teams, members and invitations as callers make and read them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from ogel.kernel.roles import WORD
from ogel.kernel.text import LINE_PATTERN, pattern
from ogel.runtime.http.pagination import PageQuery

OWNER, ADMIN, MEMBER = "owner", "admin", "member"
MOST_ROLES = 10

Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=LINE_PATTERN)]
RoleWord = Annotated[
    str,
    Meta(pattern=pattern(f"^{WORD}(?!\n)$", "1 to 32 letters, digits, _ and -, the first a letter or digit")),
]
Roles = Annotated[
    list[RoleWord],
    Meta(
        min_length=1,
        max_length=MOST_ROLES,
        description="`owner`, `admin`, `member`, or words of your own, which your permissions give a meaning.",
    ),
]
Language = Annotated[
    str,
    Meta(
        pattern=pattern(r"^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8}){0,3}(?!\n)$", "a language such as de or pt-BR")
    ),
]
Address = Annotated[str, Meta(min_length=3, max_length=255, pattern=LINE_PATTERN)]


class NewTeam(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A user who makes a team is its first owner. A key names one, or adds members later."""

    name: Name
    owner: UUID | None = None


class TeamChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Name


class NewMember(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    user_id: UUID
    roles: Roles


class RolesChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that the member has from then on."""

    roles: Roles


class NewInvitation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    Mails a link to a page of yours (`redirect_to`, or the site), which gets the token as `?team_invitation=`. Without
    `send` no mail leaves, and the answer has the link for you to pass on.
    """

    email: Address
    roles: Roles
    redirect_to: Annotated[str, Meta(max_length=2048)] | None = None
    language: Language | None = None
    send: bool = True


class InvitationToken(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    token: Annotated[str, Meta(min_length=1, max_length=128)]


class Team(Struct, frozen=True, kw_only=True):
    """
    `roles` are those of the user who asks, or whose teams a key asks for; null where there is none. `made_by` is a
    user, or a key.
    """

    id: str
    name: str
    made_by: str
    created_at: datetime
    updated_at: datetime
    roles: list[str] | None = None


class Member(Struct, frozen=True, kw_only=True):
    """A membership, id `mem_…`: the role `member:ID`. `name` is what the user calls themselves."""

    id: str
    team_id: str
    user_id: UUID
    email: str | None
    name: str | None
    roles: list[str]
    joined_at: datetime


class Invitation(Struct, frozen=True, kw_only=True):
    id: str
    team_id: str
    email: str
    roles: list[str]
    invited_by: str
    created_at: datetime
    expires_at: datetime


class MadeInvitation(Invitation, frozen=True, kw_only=True):
    """`url` is the link, where no mail took it."""

    url: str | None


class TeamQuery(PageQuery, frozen=True, kw_only=True):
    """`user` is for keys: the teams of that user. A user sees no others than their own."""

    user: UUID | None = None
