"""Prometheus metrics of jobs."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge

from ogel.kernel.clock import utc_now
from ogel.runtime.jobs.job import FIRST_ATTEMPT, Finished, Job
from ogel.runtime.metrics.histogram import Histogram
from ogel.runtime.metrics.tallies import Tallies

_LAG_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)


class JobMetrics:
    """Counted where it happens, in this process; depths are asked of the database when scraped (see system feature)."""

    def __init__(self, registry: CollectorRegistry, tallies: Tallies | None = None) -> None:
        """`tallies` are for the objectives: waits of first attempts (`queue.mail`), and ends (`ended.mail.send`)."""
        self._tallies = Tallies() if tallies is None else tallies
        self._lag = Histogram(
            "ogel_job_lag_seconds",
            "From due to claimed, whatever it waited for: a worker, its key's limit, rate, slowing, breaker or pause.",
            ["queue", "priority"],
            _LAG_BUCKETS,
            registry,
        )
        self._finished = Counter(
            "ogel_jobs_finished_total",
            "Attempts by how they ended.",
            ["queue", "kind", "verdict"],
            registry=registry,
        )
        self._late = Counter(
            "ogel_job_results_late_total", "Results refused because the lease had a new owner.", ["queue"],
            registry=registry,
        )  # fmt: skip
        self._lost = Counter(
            "ogel_job_leases_lost_total",
            "Jobs claimed again because their worker disappeared, or stopped, without saying how they ended.",
            ["queue"],
            registry=registry,
        )
        self._in_flight = Gauge(
            "ogel_jobs_in_flight", "Claimed and not yet written.", ["queue"], registry=registry
        )

    def claimed(self, queue: str, jobs: Sequence[Job]) -> None:
        now = utc_now()
        priorities = {
            priority: self._lag.labels(queue, str(priority)) for priority in {job.priority for job in jobs}
        }
        tally = self._tallies.of(f"queue.{queue}")
        for job in jobs:
            waited = max(0.0, (now - job.scheduled_at).total_seconds())
            priorities[job.priority].observe(waited)
            if job.priority <= FIRST_ATTEMPT:
                tally.timed(waited)
        lost = sum(job.lost is not None for job in jobs)
        if lost:
            self._lost.labels(queue).inc(lost)

    def finished(self, queue: str, results: Sequence[Finished], late: int) -> None:
        for (kind, verdict), count in Tally((f.job.kind, f.outcome.verdict) for f in results).items():
            self._finished.labels(queue, kind, verdict).inc(count)
            if verdict in ("done", "dead"):
                good = verdict == "done"
                self._tallies.of(f"ended.{kind}").counted(count if good else 0, 0 if good else count)
        if late:
            self._late.labels(queue).inc(late)

    def in_flight(self, queue: str, count: int) -> None:
        self._in_flight.labels(queue).set(count)
