"""The manifest of teams."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ogel.features.teams.events import EVENTS
from ogel.features.teams.settings import TeamsSettings
from ogel.runtime.core import Core
from ogel.runtime.database.database import Queries
from ogel.runtime.feature import Feature
from ogel.runtime.purge import Purge

if TYPE_CHECKING:
    from ogel.features.teams.invitations import InvitationService
    from ogel.features.teams.service import TeamService
    from ogel.runtime.http.route import Route

_SQL = Queries.beside(__name__)


class TeamsFeature:
    """Builds the services when they are first used."""

    def __init__(self, core: Core, settings: TeamsSettings) -> None:
        self._core = core
        self._settings = settings

    @property
    def _accounts(self) -> Any:
        return self._core.features["accounts"].offers

    def _changed(self, user_id: UUID) -> None:
        self._accounts.sessions.changed(user_id)

    @cached_property
    def teams(self) -> TeamService:
        from ogel.features.teams.service import TeamService
        from ogel.features.teams.store import MemberStore, TeamStore

        core = self._core
        return TeamService(
            core.database, TeamStore(), MemberStore(), core.outbox, core.audit, self._changed, self._settings
        )

    @cached_property
    def invitations(self) -> InvitationService:
        from ogel.features.teams.invitations import InvitationService
        from ogel.features.teams.store import InvitationStore, MemberStore, TeamStore

        core, accounts = self._core, self._accounts
        return InvitationService(
            core.database,
            self.teams,
            TeamStore(),
            MemberStore(),
            InvitationStore(),
            core.outbox,
            core.audit,
            core.features["mail"].offers.messages,
            accounts.redirects.allowed,
            accounts.app,
            core.limiter,
            self._settings,
        )

    def routes(self) -> Sequence[Route]:
        from ogel.features.teams.routes import TeamRoutes

        return TeamRoutes(self.teams, self.invitations).routes()


def build(core: Core, settings: TeamsSettings) -> Feature:
    teams = TeamsFeature(core, settings)
    return Feature(
        name="teams",
        routes=teams.routes,
        events=EVENTS,
        purges=[
            Purge.of_queries(
                "team_invitations",
                "invitations to teams that nobody accepted in time",
                core.retention_days,
                count=_SQL.count_expired,
                batch=_SQL.purge_expired,
            )
        ],
        tables=["team_invitations", "team_members", "teams"],
        settings=settings,
        offers=teams,
    )
