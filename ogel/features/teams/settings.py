"""The settings of teams."""

from __future__ import annotations

from dataclasses import dataclass

from ogel.knobs import Section, flag, knob, whole


@dataclass(frozen=True, slots=True)
class TeamsSettings(Section):
    made_by_users: bool = knob(
        "OGEL_TEAMS_BY_USERS",
        takes=flag(),
        default=True,
        meaning="Whether people may make teams themselves; keys always may.",
    )
    most_of_user: int = knob(
        "OGEL_TEAMS_PER_USER",
        takes=whole(1, 1000),
        default=100,
        meaning="Most teams that one user can be in.",
    )
    most_members: int = knob(
        "OGEL_TEAM_MEMBERS",
        takes=whole(1, 100_000),
        default=1000,
        meaning="Most members of a team.",
    )
    invitation_days: int = knob(
        "OGEL_TEAM_INVITATION_DAYS",
        takes=whole(1, 90, "days"),
        default=7,
        meaning="How long an invitation to a team is good for.",
    )
    invitations_an_hour: int = knob(
        "OGEL_TEAM_INVITATIONS_PER_HOUR",
        takes=whole(0, 100_000),
        default=30,
        meaning="Invitations to teams that one user sends in an hour; 0 is no limit.",
    )
