"""Who may do what in a team: members see it, admins run it, owners own it."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from ogel.features.teams.team import ADMIN, OWNER, Member, Team
from ogel.kernel.errors import Forbidden


class Standing(NamedTuple):
    """
    Who asks, in the team that they ask about. `roles` is None for a key and an operator, who may do what an owner may.
    """

    team: Team
    user_id: UUID | None
    roles: Collection[str] | None

    @property
    def owns(self) -> bool:
        return self.roles is None or OWNER in self.roles

    @property
    def runs(self) -> bool:
        return self.owns or (self.roles is not None and ADMIN in self.roles)

    def check_runs(self) -> None:
        if not self.runs:
            raise Forbidden("Only an owner or admin of the team may do this.")

    def check_owns(self) -> None:
        if not self.owns:
            raise Forbidden("Only an owner of the team may do this.")

    def check_may_give(self, roles: Collection[str]) -> None:
        """Who runs a team gives every role but that of its owners."""
        self.check_runs()
        if OWNER in roles and not self.owns:
            raise Forbidden("Only an owner of the team may make others its owners.")

    def check_may_change(self, member: Member) -> None:
        self.check_runs()
        if OWNER in member.roles and not self.owns:
            raise Forbidden("Only an owner of the team may change or remove its owners.")


def may_give(own: Collection[str], given: Collection[str]) -> bool:
    """Whether a member with roles of their `own` may give these to others."""
    return OWNER in own or (ADMIN in own and OWNER not in given)
