"""The objectives, and which of the things that are counted each of them is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from ogel.features.observability.slo.settings import SloSettings

Unit = Literal["seconds", "share", "bytes", "dollars", "per_day"]
# service   what those who use it notice.
# cost      what those who pay for it notice.
# delivery  how well changes of it arrive.
About = Literal["service", "cost", "delivery"]
# What makes the value of it.
# duration  a quantile of how long it took: `allowed` is the part that may take longer than the target.
# failures  the part that failed; successes: the part that did not.
# uptime    the part of minutes.
# amount    how much there was: the target is for 30 days.
Measure = Literal["duration", "failures", "successes", "uptime", "amount"]

EGRESS = "egress"
UPTIME = "uptime"
DELIVERIES = "ended.webhooks.deliver"
DATABASE = "database"
_REQUESTS, _QUEUE = "http.", "queue."
# Streams take as long as they take; beginning one can fail.
_ENDLESS = "http.stream"


class Objective(Struct, frozen=True):
    """
    series    what it is about: names of tallies; one that ends in a dot stands for all that begin so.
    allowed   the part of all that may be bad.
    at_least  it is wrong to be below the target, not above it.
    alerts    when its budget burns too fast.
    """

    name: str
    says: str
    about: About
    measure: Measure
    unit: Unit
    target: float
    series: str
    allowed: float
    at_least: bool = False
    alerts: bool = True

    def concerns(self, series: str) -> bool:
        return series.startswith(self.series) if self.series.endswith(".") else series == self.series


def is_promised(series: str) -> bool:
    """Whether any objective is about it: a process hands over nothing else."""
    return series in (DELIVERIES, DATABASE, EGRESS) or series.startswith((_REQUESTS, _QUEUE))


def objectives(settings: SloSettings, counted: Iterable[str]) -> list[Objective]:
    """Those of all suites, and of the classes and queues among the `counted` series."""
    series = sorted(counted)
    classes = [each for each in series if each.startswith(_REQUESTS) and each != _ENDLESS]
    queues = [each for each in series if each.startswith(_QUEUE)]
    errors, delivered = settings.slo_errors, settings.slo_delivered
    return [
        *(each for name in classes for each in _of_class(settings, name)),
        Objective("api.errors", f"At most {_percent(errors)} of the requests fail for a reason of ours.",
                  "service", "failures", "share", errors, _REQUESTS, errors),
        Objective(UPTIME, f"The API is up in {_percent(settings.slo_uptime)} of the minutes.",
                  "service", "uptime", "share", settings.slo_uptime, UPTIME, 1 - settings.slo_uptime, at_least=True),
        Objective("database.p95", f"95 % of the statements take {_milliseconds(settings.slo_database_p95_ms)} at most.",
                  "service", "duration", "seconds", settings.slo_database_p95_ms / 1000, DATABASE, 0.05),
        *(_of_queue(settings, name) for name in queues),
        Objective("webhooks.delivered", f"{_percent(delivered)} of the deliveries arrive.",
                  "service", "successes", "share", delivered, DELIVERIES, 1 - delivered, at_least=True),
        Objective(EGRESS, f"At most {settings.slo_egress_gb:g} GB are sent to clients in 30 days.",
                  "cost", "amount", "bytes", settings.slo_egress_gb * 1e9, EGRESS, 1.0, alerts=False),
    ]  # fmt: skip


def _of_class(settings: SloSettings, series: str) -> Sequence[Objective]:
    name = series.removeprefix(_REQUESTS)
    return [
        Objective(
            f"api.{name}.p{quantile}",
            f"{quantile} % of the requests of the class {name} are answered within {_milliseconds(target)}.",
            "service",
            "duration",
            "seconds",
            target / 1000,
            series,
            (100 - quantile) / 100,
        )
        for quantile, target in ((95, settings.slo_api_p95_ms), (99, settings.slo_api_p99_ms))
    ]


def _of_queue(settings: SloSettings, series: str) -> Objective:
    target, name = settings.slo_queue_p95_seconds, series.removeprefix(_QUEUE)
    says = f"95 % of the jobs of the queue {name} are taken within {target:g} s of being due."
    # The alert queue.stuck knows what a pause or a limit of their key holds back, and a duration does not.
    return Objective(
        f"{series}.p95", says, "service", "duration", "seconds", target, series, 0.05, alerts=False
    )


def _percent(share: float) -> str:
    return f"{share * 100:.5g} %"


def _milliseconds(value: float) -> str:
    return f"{value:g} ms"
