"""The manifest of costs."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

from ogel.features.costs.jobs import HOURLY, ReadCosts
from ogel.features.costs.settings import CostsSettings
from ogel.runtime.alerts import AlertRule, Sample
from ogel.runtime.core import Core
from ogel.runtime.database.database import Queries
from ogel.runtime.feature import Feature
from ogel.runtime.purge import Purge

if TYPE_CHECKING:
    from ogel.features.costs.contract import ThisPeriod
    from ogel.features.costs.service import CostService
    from ogel.runtime.http.route import Route
    from ogel.runtime.prices.table import PriceTable

# From here on an alert of the budget is critical.
_CRITICAL_PERCENT = 90
# Without a reading for so long nobody watches the budget.
_MOST_HOURS = 6
_SQL = Queries.beside(__name__)


class CostsFeature:
    """Builds the service when somebody asks what it costs."""

    def __init__(self, core: Core, settings: CostsSettings) -> None:
        self._core = core
        self._settings = settings

    @cached_property
    def prices(self) -> PriceTable:
        from ogel.runtime.prices.table import price_table

        return price_table(self._settings.prices)

    @cached_property
    def service(self) -> CostService:
        from ogel.features.costs.service import CostService
        from ogel.features.costs.statement import Budget
        from ogel.features.costs.store import ReadingStore

        core, settings = self._core, self._settings
        budget = None
        if settings.budget is not None:
            budget = Budget(Decimal(str(settings.budget)), settings.thresholds)
        return CostService(
            core.database,
            ReadingStore(),
            core.railway,
            core.railway_project,
            core.features["observability"].offers.measurements,
            core.objects.in_bucket,
            self.prices,
            budget,
            settings.plan,
        )

    async def this_period(self) -> ThisPeriod | None:
        """See Costs of the contract."""
        return await self.service.this_period()

    async def samples(self) -> Sequence[Sample]:
        return await self.service.samples()

    def routes(self) -> Sequence[Route]:
        from ogel.features.costs.routes import CostRoutes

        return CostRoutes(self.service).routes()


def build(core: Core, settings: CostsSettings) -> Feature:
    costs = CostsFeature(core, settings)
    if settings.prices is not None:
        _ = costs.prices  # a file that is none stops the start
    return Feature(
        name="costs",
        routes=costs.routes,
        jobs=[ReadCosts(lambda: costs.service).kind()],
        schedules=[HOURLY],
        purges=[
            Purge.of_queries(
                "cost_readings",
                "what billing periods have cost that ended long ago",
                settings.kept_days,
                count=_SQL.count_old,
                batch=_SQL.purge_old,
            )
        ],
        tables=["cost_readings"],
        samples=[costs.samples],
        alerts=_alerts(settings),
        settings=settings,
        offers=costs,
    )


_RUNBOOK = "cost-overrun.md"


def _alerts(settings: CostsSettings) -> Sequence[AlertRule]:
    """Those of the budget find nothing to be held against while there is none."""
    return [
        *(
            AlertRule(
                f"cost.spent_{percent}",
                "critical" if percent >= _CRITICAL_PERCENT else "warning",
                percent / 100,
                "cost.spent_share",
                _RUNBOOK,
            )
            for percent in settings.thresholds
        ),
        AlertRule("cost.forecast", "warning", 1.0, "cost.forecast_share", _RUNBOOK),
        AlertRule("cost.unread", "warning", _MOST_HOURS, "cost.read_hours", _RUNBOOK),
    ]
