"""The settings of service level objectives: what is promised."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ogel.knobs import Section, Takes, knob, real


def _moment() -> Takes:
    def parse(value: str) -> datetime:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
        return moment

    return Takes(
        "a time with its offset, such as 2026-01-31T08:15:30+01:00 (git show -s --format=%cI)", parse
    )


@dataclass(frozen=True, slots=True)
class SloSettings(Section):
    slo_api_p95_ms: float = knob(
        "OGEL_SLO_API_P95_MS",
        takes=real(1, 600_000, "milliseconds"),
        default=200.0,
        meaning="Within this, 95 % of the requests of each class are to be answered.",
    )
    slo_api_p99_ms: float = knob(
        "OGEL_SLO_API_P99_MS",
        takes=real(1, 600_000, "milliseconds"),
        default=500.0,
        meaning="Within this, 99 % of the requests of each class are to be answered.",
    )
    slo_errors: float = knob(
        "OGEL_SLO_ERRORS",
        takes=real(0.00001, 0.5, "a part of the whole"),
        default=0.001,
        meaning="At most so many requests are to be answered with a status of 500 or more.",
    )
    slo_uptime: float = knob(
        "OGEL_SLO_UPTIME",
        takes=real(0.5, 0.99999, "a part of the whole"),
        default=0.999,
        meaning="In at least so many minutes the API is to be up.",
    )
    slo_database_p95_ms: float = knob(
        "OGEL_SLO_DATABASE_P95_MS",
        takes=real(1, 600_000, "milliseconds"),
        default=50.0,
        meaning="Within this, 95 % of the statements are to be answered by Postgres.",
    )
    slo_queue_p95_seconds: float = knob(
        "OGEL_SLO_QUEUE_P95_SECONDS",
        takes=real(0.01, 86_400, "seconds"),
        default=10.0,
        meaning="Within this, a worker is to take 95 % of the jobs of each queue that are due.",
    )
    slo_delivered: float = knob(
        "OGEL_SLO_DELIVERED",
        takes=real(0.5, 0.99999, "a part of the whole"),
        default=0.99,
        meaning="At least so many deliveries are to arrive in the end.",
    )
    slo_egress_gb: float = knob(
        "OGEL_SLO_EGRESS_GB",
        takes=real(0.001, 10**6, "GB"),
        default=40.0,
        meaning="At most so many GB are to be sent to clients in 30 days.",
    )
    slo_cost_dollars: float = knob(
        "OGEL_SLO_COST_DOLLARS",
        takes=real(0.01, 10**6, "dollars"),
        default=32.0,
        meaning="At most so much is a billing period to cost, where OGEL_COST_BUDGET sets nothing else.",
    )
    slo_deployments_per_day: float = knob(
        "OGEL_SLO_DEPLOYMENTS_PER_DAY",
        takes=real(0.01, 1000, "things"),
        default=1.0,
        meaning="So often, at least, a day is to bring a deployment that works.",
    )
    committed_at: datetime | None = knob(
        "OGEL_COMMITTED_AT",
        takes=_moment(),
        default=None,
        meaning="When the commit that this process was built of was made; images built by CI bring it along.",
    )
    slo_lead_hours: float = knob(
        "OGEL_SLO_LEAD_HOURS",
        takes=real(0.01, 8760, "hours"),
        default=1.0,
        meaning="Within this, half of the commits are to be deployed.",
    )
    slo_change_failures: float = knob(
        "OGEL_SLO_CHANGE_FAILURES",
        takes=real(0.001, 0.999, "a part of the whole"),
        default=0.05,
        meaning="At most so many deployments are to fail, or to be taken back.",
    )
    slo_recovery_minutes: float = knob(
        "OGEL_SLO_RECOVERY_MINUTES",
        takes=real(1, 10_080, "minutes"),
        default=15.0,
        meaning="Within this, on average, a failed deployment is to be followed by one that works.",
    )
