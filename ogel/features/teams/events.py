"""What others hear of teams."""

from __future__ import annotations

import msgspec

from ogel.features.teams.team import Invitation, Member, Team
from ogel.kernel.clock import utc_now
from ogel.kernel.event import Event
from ogel.kernel.ids import new_id

CREATED, UPDATED, DELETED = "teams.created", "teams.updated", "teams.deleted"
MEMBER_ADDED, MEMBER_UPDATED, MEMBER_REMOVED = (
    "teams.member.added",
    "teams.member.updated",
    "teams.member.removed",
)
INVITED = "teams.invitation.created"
EVENTS = {
    CREATED: "a team was made",
    UPDATED: "a team has another name",
    DELETED: "a team is gone, with its memberships and invitations",
    MEMBER_ADDED: "somebody joined a team: by an invitation, or added by a key",
    MEMBER_UPDATED: "a member has other roles in a team",
    MEMBER_REMOVED: "a member left a team, or was removed from it",
    INVITED: "somebody was invited to a team",
}


def team_event(type: str, team: Team) -> Event:
    return _event(type, team.id, {"id": team.id, "name": team.name, "made_by": team.made_by})


def member_event(type: str, member: Member) -> Event:
    return _event(
        type,
        member.team_id,
        {"id": member.id, "team_id": member.team_id, "user_id": member.user_id, "roles": member.roles},
    )


def invited(invitation: Invitation) -> Event:
    return _event(INVITED, invitation.team_id, invitation)


def _event(type: str, team_id: str, data: object) -> Event:
    return Event(new_id("evt"), type, msgspec.json.encode(data), team_id, utc_now())
