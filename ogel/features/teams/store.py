"""The tables teams, team_members and team_invitations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from ogel.features.accounts.contract import USERS
from ogel.features.teams.team import Invitation, Member, Team
from ogel.runtime.database.database import Queries, Transaction

_SQL = Queries.beside(__name__, users=USERS)


class Person(NamedTuple):
    """A user, and in how many teams they are."""

    id: UUID
    email: str | None
    is_confirmed: bool
    name: str | None
    teams: int


class TeamStore:
    async def insert(self, tx: Transaction, id: str, name: str, made_by: str) -> None:
        await tx.execute(_SQL.insert_team, {"id": id, "name": name, "made_by": made_by})

    async def get(self, tx: Transaction, id: str, user_id: UUID | None) -> Team | None:
        """With the roles of the user, None where they are no member."""
        return await tx.one(_SQL.get_team, {"id": id, "user_id": user_id}, Team)

    async def lock(self, tx: Transaction, id: str) -> None:
        await tx.execute(_SQL.lock_team, {"id": id})

    async def page(self, tx: Transaction, user_id: UUID | None, after: str | None, limit: int) -> list[Team]:
        """Those of one user, or all; the newest first."""
        query = _SQL.list_teams if user_id is None else _SQL.list_teams_of
        return await tx.all(query, {"user_id": user_id, "after": after, "limit": limit}, Team)

    async def rename(self, tx: Transaction, id: str, name: str) -> None:
        await tx.execute(_SQL.rename_team, {"id": id, "name": name})

    async def delete(self, tx: Transaction, id: str) -> list[UUID]:
        """Returns who was in it."""
        members = [user_id for (user_id,) in await tx.tuples(_SQL.user_ids, {"team_id": id})]
        await tx.execute(_SQL.delete_team, {"id": id})
        return members

    async def person(self, tx: Transaction, id: UUID) -> Person | None:
        return await tx.one(_SQL.get_user, {"id": id}, Person)


class MemberStore:
    async def count(self, tx: Transaction, team_id: str) -> int:
        counted: int = await tx.value(_SQL.count_members, {"team_id": team_id})
        return counted

    async def insert(
        self, tx: Transaction, id: str, team_id: str, user_id: UUID, roles: Sequence[str]
    ) -> bool:
        """Returns False for who is in the team already."""
        row = {"id": id, "team_id": team_id, "user_id": user_id, "roles": list(roles)}
        return await tx.execute(_SQL.insert_member, row) > 0

    async def get(self, tx: Transaction, team_id: str, id: str) -> Member | None:
        return await tx.one(_SQL.get_member, {"team_id": team_id, "id": id}, Member)

    async def of(self, tx: Transaction, team_id: str, user_id: UUID) -> Member | None:
        return await tx.one(_SQL.get_member_of, {"team_id": team_id, "user_id": user_id}, Member)

    async def page(self, tx: Transaction, team_id: str, after: str | None, limit: int) -> list[Member]:
        """The oldest first."""
        return await tx.all(_SQL.list_members, {"team_id": team_id, "after": after, "limit": limit}, Member)

    async def has_address(self, tx: Transaction, team_id: str, email: str) -> bool:
        found: bool = await tx.value(_SQL.has_member, {"team_id": team_id, "email": email})
        return found

    async def has_other_owner(self, tx: Transaction, team_id: str, id: str) -> bool:
        found: bool = await tx.value(_SQL.has_other_owner, {"team_id": team_id, "id": id})
        return found

    async def set_roles(self, tx: Transaction, id: str, roles: Sequence[str]) -> None:
        await tx.execute(_SQL.set_roles, {"id": id, "roles": list(roles)})

    async def delete(self, tx: Transaction, id: str) -> None:
        await tx.execute(_SQL.delete_member, {"id": id})


class InvitationStore:
    async def count_others(self, tx: Transaction, team_id: str, email: str) -> int:
        """Those that are open, to other addresses."""
        counted: int = await tx.value(_SQL.count_invitations, {"team_id": team_id, "email": email})
        return counted

    async def put(self, tx: Transaction, row: Mapping[str, Any]) -> Invitation:
        made = await tx.one(_SQL.put_invitation, row, Invitation)
        assert made is not None
        return made

    async def page(self, tx: Transaction, team_id: str, after: str | None, limit: int) -> list[Invitation]:
        return await tx.all(
            _SQL.list_invitations, {"team_id": team_id, "after": after, "limit": limit}, Invitation
        )

    async def find(self, tx: Transaction, token_hash: bytes) -> str | None:
        """Returns the team's id."""
        found: str | None = await tx.value(_SQL.find_invitation, {"token_hash": token_hash})
        return found

    async def take(self, tx: Transaction, token_hash: bytes) -> Invitation | None:
        """Of all who try at the same time, one gets it."""
        return await tx.one(_SQL.take_invitation, {"token_hash": token_hash}, Invitation)

    async def delete(self, tx: Transaction, team_id: str, id: str) -> bool:
        return await tx.execute(_SQL.delete_invitation, {"team_id": team_id, "id": id}) > 0
