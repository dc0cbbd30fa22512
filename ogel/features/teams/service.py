"""The rules of teams and their members. Each change is one transaction with its event and audit record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from ogel.features.teams.events import (
    CREATED,
    DELETED,
    MEMBER_ADDED,
    MEMBER_REMOVED,
    MEMBER_UPDATED,
    UPDATED,
    member_event,
    team_event,
)
from ogel.features.teams.rights import Standing
from ogel.features.teams.settings import TeamsSettings
from ogel.features.teams.store import MemberStore, Person, TeamStore
from ogel.features.teams.team import OWNER, Member, NewMember, NewTeam, Team
from ogel.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from ogel.kernel.ids import new_id
from ogel.kernel.principal import Caller, Principal
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.outbox import Outbox

# Called after the commit with a user whose roles are others now.
Changed = Callable[[UUID], None]


class TeamService:
    """A user who is no member finds no team: every method raises NotFound then, and Forbidden for too few rights."""

    def __init__(
        self,
        database: Database,
        teams: TeamStore,
        members: MemberStore,
        outbox: Outbox,
        audit: AuditTrail,
        changed: Changed,
        settings: TeamsSettings,
    ) -> None:
        self._database = database
        self._teams = teams
        self._members = members
        self._outbox = outbox
        self._audit = audit
        self._changed = changed
        self._settings = settings

    async def create(self, caller: Caller, new: NewTeam) -> Team:
        user_id = user_of(caller.principal)
        if user_id is not None and not self._settings.made_by_users:
            raise Forbidden("Teams are made by the operators here.")
        if user_id is not None and new.owner not in (None, user_id):
            raise Forbidden("Who makes a team is its first owner.")
        owner = user_id or new.owner
        async with self._database.transaction() as tx:
            id = new_id("team")
            await self._teams.insert(tx, id, new.name, caller.principal.id)
            team = await self._get(tx, id, None)
            await self._outbox.publish(tx, [team_event(CREATED, team)])
            await self._audit.record(tx, caller, "team.create", "team", id)
            if owner is not None:
                await self.join(tx, caller, id, await self._person(tx, owner, "body.owner"), [OWNER])
            return await self._get(tx, id, user_id)

    async def page(
        self, principal: Principal, user_id: UUID | None, after: str | None, limit: int
    ) -> list[Team]:
        """The newest first: a user's own, or all, or those of one user."""
        whose = user_of(principal) or user_id
        async with self._database.autocommit() as tx:
            return await self._teams.page(tx, whose, after, limit)

    async def get(self, principal: Principal, id: str) -> Team:
        async with self._database.autocommit() as tx:
            return (await self.standing(tx, principal, id)).team

    async def rename(self, caller: Caller, id: str, name: str) -> Team:
        async with self._database.transaction() as tx:
            standing = await self.standing(tx, caller.principal, id, lock=True)
            standing.check_runs()
            if name != standing.team.name:
                await self._teams.rename(tx, id, name)
                team = await self._get(tx, id, standing.user_id)
                await self._outbox.publish(tx, [team_event(UPDATED, team)])
                await self._audit.record(tx, caller, "team.update", "team", id)
                return team
            return standing.team

    async def delete(self, caller: Caller, id: str) -> None:
        async with self._database.transaction() as tx:
            standing = await self.standing(tx, caller.principal, id, lock=True)
            standing.check_owns()
            for user_id in await self._teams.delete(tx, id):
                self._tell_after(tx, user_id)
            await self._outbox.publish(tx, [team_event(DELETED, standing.team)])
            await self._audit.record(tx, caller, "team.delete", "team", id)

    async def members(self, principal: Principal, id: str, after: str | None, limit: int) -> list[Member]:
        """The oldest first."""
        async with self._database.autocommit() as tx:
            await self.standing(tx, principal, id)
            return await self._members.page(tx, id, after, limit)

    async def add(self, caller: Caller, id: str, new: NewMember) -> Member:
        """For keys: people are invited. Raises Conflict for somebody who is in the team."""
        async with self._database.transaction() as tx:
            await self.standing(tx, caller.principal, id, lock=True)
            person = await self._person(tx, new.user_id, "body.user_id")
            member = await self.join(tx, caller, id, person, new.roles)
            if member is None:
                raise Conflict("This user is in the team already.")
            return member

    async def join(
        self, tx: Transaction, caller: Caller, id: str, person: Person, roles: Sequence[str]
    ) -> Member | None:
        """The team is locked. Returns None for who is in it already. Raises Conflict where there are too many."""
        if person.teams >= self._settings.most_of_user:
            raise Conflict(f"This user is in {person.teams} teams, which are the most (OGEL_TEAMS_PER_USER).")
        if await self._members.count(tx, id) >= self._settings.most_members:
            raise Conflict("The team has as many members as a team can have (OGEL_TEAM_MEMBERS).")
        if not await self._members.insert(tx, new_id("mem"), id, person.id, _unique(roles)):
            return None
        member = await self._members.of(tx, id, person.id)
        assert member is not None
        await self._outbox.publish(tx, [member_event(MEMBER_ADDED, member)])
        await self._record(tx, caller, "team_member.add", member)
        return member

    async def set_roles(self, caller: Caller, id: str, member_id: str, roles: Sequence[str]) -> Member:
        """Raises Conflict where it would leave the team without an owner."""
        async with self._database.transaction() as tx:
            standing = await self.standing(tx, caller.principal, id, lock=True)
            member = await self._member(tx, id, member_id)
            standing.check_may_change(member)
            standing.check_may_give(roles)
            wanted = _unique(roles)
            if wanted == member.roles:
                return member
            if OWNER not in wanted:
                await self._check_not_last_owner(tx, member)
            await self._members.set_roles(tx, member_id, wanted)
            member = await self._member(tx, id, member_id)
            await self._outbox.publish(tx, [member_event(MEMBER_UPDATED, member)])
            await self._record(tx, caller, "team_member.update", member)
            return member

    async def remove(self, caller: Caller, id: str, member_id: str) -> None:
        """Everybody may leave, save the last owner: Conflict."""
        async with self._database.transaction() as tx:
            standing = await self.standing(tx, caller.principal, id, lock=True)
            member = await self._member(tx, id, member_id)
            if member.user_id != standing.user_id:
                standing.check_may_change(member)
            await self._check_not_last_owner(tx, member)
            await self._members.delete(tx, member_id)
            await self._outbox.publish(tx, [member_event(MEMBER_REMOVED, member)])
            await self._record(tx, caller, "team_member.remove", member)

    async def standing(self, tx: Transaction, principal: Principal, id: str, lock: bool = False) -> Standing:
        """`lock`: until the transaction ends nobody else changes the team or who is in it."""
        if lock:
            await self._teams.lock(tx, id)
        user_id = user_of(principal)
        team = await self._get(tx, id, user_id)
        if user_id is None:
            return Standing(team, None, None)
        if team.roles is None:
            raise _no_team(id)
        return Standing(team, user_id, team.roles)

    async def _get(self, tx: Transaction, id: str, user_id: UUID | None) -> Team:
        team = await self._teams.get(tx, id, user_id)
        if team is None:
            raise _no_team(id)
        return team

    async def _person(self, tx: Transaction, id: UUID, path: str) -> Person:
        person = await self._teams.person(tx, id)
        if person is None:
            raise Invalid.field(path, f"names no user: {id}")
        return person

    async def _member(self, tx: Transaction, team_id: str, id: str) -> Member:
        member = await self._members.get(tx, team_id, id)
        if member is None:
            raise NotFound(f"There is no member {id!r} in this team.")
        return member

    async def _check_not_last_owner(self, tx: Transaction, member: Member) -> None:
        if OWNER in member.roles and not await self._members.has_other_owner(tx, member.team_id, member.id):
            raise Conflict(
                "This is the team's last owner: make somebody else its owner first, or delete the team."
            )

    async def _record(self, tx: Transaction, caller: Caller, action: str, member: Member) -> None:
        self._tell_after(tx, member.user_id)
        metadata = {"team": member.team_id, "user": str(member.user_id), "roles": member.roles}
        user_id = str(member.user_id)
        await self._audit.record(tx, caller, action, "team_member", member.id, metadata, user_id=user_id)

    def _tell_after(self, tx: Transaction, user_id: UUID) -> None:
        tx.at_end(lambda committed: self._changed(user_id) if committed else None)


def user_of(principal: Principal) -> UUID | None:
    """None for keys and operators, who are let in by their scopes."""
    return UUID(principal.id) if principal.kind == "user" else None


def _unique(roles: Sequence[str]) -> list[str]:
    return sorted(set(roles))


def _no_team(id: str) -> NotFound:
    return NotFound(f"There is no team {id!r}.")
