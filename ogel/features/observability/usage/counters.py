"""Usage counted by this process, read from its Prometheus counters so that nothing is counted twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry

from ogel.features.observability.usage.metrics import Metric

Labels = Mapping[str, str]
Series = tuple[Metric, tuple[tuple[str, str], ...]]
# Returns the labels to count under; None for what is not counted.
Choose = Callable[[Labels], Labels | None]

_OUTCOMES_OF_JOBS = {"done": "done", "retry": "failed", "dead": "dead"}
# Requests that platforms and Prometheus send every few seconds are not usage.
_PROBED = ("/health/", "/metrics")


def _request(labels: Labels) -> Labels | None:
    return None if labels["route"].startswith(_PROBED) else {"status": f"{labels['status'][0]}xx"}


def _event(labels: Labels) -> Labels | None:
    return {} if labels["id"] == "new" else None


def _attempt(labels: Labels) -> Labels | None:
    """Leaves out failures that are our own fault, because their requests reached no receiver."""
    return None if labels["outcome"] == "ours" else {"outcome": labels["outcome"]}


def _job(labels: Labels) -> Labels | None:
    outcome = _OUTCOMES_OF_JOBS.get(labels["verdict"])
    return None if outcome is None else {"queue": labels["queue"], "outcome": outcome}


def _plain(labels: Labels) -> Labels:
    return {}


_SOURCES: Mapping[str, tuple[Metric, Choose]] = {
    "ogel_http_requests_total": ("http.requests", _request),
    "ogel_http_received_bytes_total": ("http.received_bytes", _plain),
    "ogel_http_sent_bytes_total": ("http.sent_bytes", _plain),
    "ogel_events_published_total": ("events.published", _event),
    "ogel_webhook_attempts_total": ("deliveries.attempts", _attempt),
    "ogel_jobs_finished_total": ("jobs.performed", _job),
    "ogel_realtime_messages_total": ("realtime.messages", _plain),
}


def counted(registry: CollectorRegistry) -> Counter[Series]:
    """The counts since the process started."""
    totals: Counter[Series] = Counter()
    for family in registry.restricted_registry(list(_SOURCES)).collect():
        for sample in family.samples:
            metric, choose = _SOURCES[sample.name]
            labels = choose(sample.labels)
            if labels is not None:
                totals[metric, tuple(sorted(labels.items()))] += int(sample.value)
    return totals
