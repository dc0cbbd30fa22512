"""/api/teams: for people in the teams that they are in, and for keys in all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.teams.invitations import InvitationService
from ogel.features.teams.service import TeamService
from ogel.features.teams.team import (
    Invitation,
    InvitationToken,
    MadeInvitation,
    Member,
    NewInvitation,
    NewMember,
    NewTeam,
    RolesChange,
    Team,
    TeamChange,
    TeamQuery,
)
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page, PageQuery, decode_cursor, page
from ogel.runtime.http.route import Call, Route

READ, WRITE = "accounts:read", "accounts:write"


class TeamRoutes:
    def __init__(self, teams: TeamService, invitations: InvitationService) -> None:
        self._teams = teams
        self._invitations = invitations

    def routes(self) -> Sequence[Route]:
        read, write = Access("known", READ, "read"), Access("known", WRITE, "write")
        by_key, by_user = Access("key", WRITE, "write"), Access("user", None, "write")
        all, one = "/api/teams", "/api/teams/{id}"
        members, invitations = f"{one}/members", f"{one}/invitations"
        return [
            Route("POST", all, self._create, write.audited("team.create"), "Make a team",
                  body=NewTeam, returns=Team, status=201),
            Route("GET", all, self._list, read, "List teams, newest first; a user's are those they are in",
                  query=TeamQuery, returns=Page[Team]),
            Route("GET", one, self._get, read, "One team", returns=Team),
            Route("PATCH", one, self._rename, write.audited("team.update"),
                  "Give a team another name; for its owners and admins", body=TeamChange, returns=Team),
            Route("DELETE", one, self._delete, write.audited("team.delete"),
                  "End a team with its memberships and invitations; for its owners", status=204),
            Route("GET", members, self._members, read, "List members, oldest first",
                  query=PageQuery, returns=Page[Member]),
            Route("POST", members, self._add, by_key.audited("team_member.add"),
                  "Put a user into a team without asking them", body=NewMember, returns=Member, status=201),
            Route("PATCH", members + "/{member}", self._set_roles, write.audited("team_member.update"),
                  "Give a member other roles; owners and admins may, of owners only owners",
                  body=RolesChange, returns=Member),
            Route("DELETE", members + "/{member}", self._remove, write.audited("team_member.remove"),
                  "Leave a team, or remove a member from it", status=204),
            Route("GET", invitations, self._invited, read,
                  "List invitations that were not accepted; for owners and admins",
                  query=PageQuery, returns=Page[Invitation]),
            Route("POST", invitations, self._invite, write.audited("team_invitation.create"),
                  "Invite somebody by mail; for owners and admins", body=NewInvitation,
                  returns=MadeInvitation, status=201),
            Route("DELETE", invitations + "/{invitation}", self._revoke,
                  write.audited("team_invitation.revoke"), "Take an invitation back", status=204),
            Route("POST", "/api/teams/invitations/accept", self._accept,
                  by_user.audited("team_invitation.accept"),
                  "Join the team that one was invited to, by the token in the link",
                  body=InvitationToken, returns=Member),
        ]  # fmt: skip

    async def _create(self, call: Call[NewTeam, Any]) -> Team:
        return await self._teams.create(call.caller, call.body)

    async def _list(self, call: Call[Any, TeamQuery]) -> Page[Team]:
        query = call.query
        found = await self._teams.page(call.principal, query.user, _after(query), query.limit + 1)
        return page(found, query.limit, lambda each: each.id)

    async def _get(self, call: Call[Any, Any]) -> Team:
        return await self._teams.get(call.principal, call.path["id"])

    async def _rename(self, call: Call[TeamChange, Any]) -> Team:
        return await self._teams.rename(call.caller, call.path["id"], call.body.name)

    async def _delete(self, call: Call[Any, Any]) -> None:
        await self._teams.delete(call.caller, call.path["id"])

    async def _members(self, call: Call[Any, PageQuery]) -> Page[Member]:
        query, id = call.query, call.path["id"]
        found = await self._teams.members(call.principal, id, _after(query), query.limit + 1)
        return page(found, query.limit, lambda each: each.id)

    async def _add(self, call: Call[NewMember, Any]) -> Member:
        return await self._teams.add(call.caller, call.path["id"], call.body)

    async def _set_roles(self, call: Call[RolesChange, Any]) -> Member:
        return await self._teams.set_roles(call.caller, call.path["id"], call.path["member"], call.body.roles)

    async def _remove(self, call: Call[Any, Any]) -> None:
        await self._teams.remove(call.caller, call.path["id"], call.path["member"])

    async def _invited(self, call: Call[Any, PageQuery]) -> Page[Invitation]:
        query, id = call.query, call.path["id"]
        found = await self._invitations.page(call.principal, id, _after(query), query.limit + 1)
        return page(found, query.limit, lambda each: each.id)

    async def _invite(self, call: Call[NewInvitation, Any]) -> MadeInvitation:
        return await self._invitations.invite(call.caller, call.path["id"], call.body)

    async def _revoke(self, call: Call[Any, Any]) -> None:
        await self._invitations.revoke(call.caller, call.path["id"], call.path["invitation"])

    async def _accept(self, call: Call[InvitationToken, Any]) -> Member:
        return await self._invitations.accept(call.caller, call.body.token)


def _after(query: PageQuery) -> str | None:
    return decode_cursor(query.after, str) if query.after else None
