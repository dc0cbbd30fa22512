"""Memory over a long run: one worker with every queue, performing mixed jobs, at a pace it keeps up with."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event

from bench import receiver
from bench.figures import Figure
from bench.world import DATA, EVENT_TYPE, Machine, Trial, create_webhook, pid_of, resident_megabytes
from tests.support.process import Ogel

MARKS = 10
RECEIVER_SECONDS = 0.02
# A request makes as many deliveries, and one job that tells realtime.
PER_REQUEST = 10
PUBLISHERS = 2
MOST_WAITING = 5_000
LOOK_SECONDS = 0.25
# Slower than that is no pace to be measured at.
LEAST_PER_SECOND = 100.0
# Run again and again while the others go on: what an idle night would run once.
PURGES = ("cleanup.deliveries", "cleanup.events", "cleanup.audit_logs", "cleanup.replays")
_DONE = re.compile(r'^ogel_jobs_finished_total\{.*verdict="done".*\} ([0-9.e+]+)$', re.MULTILINE)


@dataclass
class Course:
    """Jobs performed, and the megabytes that were resident then."""

    points: list[tuple[int, float]] = field(default_factory=list)

    def at(self, jobs: int) -> float:
        return next(megabytes for performed, megabytes in self.points if performed >= jobs)

    def slope_of_last_third(self) -> float:
        """Kilobytes for each 10,000 jobs, by least squares."""
        last = [point for point in self.points if point[0] >= self.points[-1][0] * 2 / 3]
        return _slope(last) * 10_000 * 1_000


def measure(trial: Trial) -> Iterator[Figure]:
    jobs = trial.jobs or (10_000 if trial.quick else 100_000)
    with trial.machine() as here, receiver.running(RECEIVER_SECONDS) as port:
        course, seconds = _run(here, port, jobs)
    yield Figure("resident at the start", course.points[0][1], "MB")
    for mark in range(1, MARKS + 1):
        performed = jobs * mark // MARKS
        yield Figure(f"resident after {performed:,} jobs", course.at(performed), "MB", at_most=110)
    yield Figure(
        "growth in the last third, for each 10,000 jobs", course.slope_of_last_third(), "kB", at_most=100
    )
    yield Figure("jobs performed meanwhile", jobs / seconds, "/s")


def _run(here: Machine, port: int, jobs: int) -> tuple[Course, float]:
    course, enough = Course(), Event()
    with here.ogel("api") as api, here.ogel("worker", "--all") as worker:
        create_webhook(api, port)
        course.points.append((0, resident_megabytes(pid_of(worker))))
        began, purged = time.monotonic(), 0
        published = [0] * PUBLISHERS
        with ThreadPoolExecutor(PUBLISHERS) as pool:
            publishers = [pool.submit(_publish, api, worker, n, published, enough) for n in range(PUBLISHERS)]
            try:
                while (performed := _performed(worker)) < jobs:
                    if time.monotonic() - began > jobs / LEAST_PER_SECOND:
                        raise RuntimeError(f"{performed} of {jobs} jobs in {time.monotonic() - began:.0f} s")
                    course.points.append((performed, resident_megabytes(pid_of(worker))))
                    if performed >= jobs * purged // MARKS:
                        purged += 1
                        for schedule in PURGES:
                            api.api.ok("POST", f"/api/schedules/{schedule}/run")
                    enough.wait(LOOK_SECONDS)
                seconds = time.monotonic() - began
                course.points.append((performed, resident_megabytes(pid_of(worker))))
            finally:
                enough.set()
        for publisher in publishers:
            publisher.result()
    return course, seconds


def _publish(api: Ogel, worker: Ogel, number: int, published: list[int], enough: Event) -> None:
    batch = [{"type": EVENT_TYPE, "data": DATA}] * PER_REQUEST
    while not enough.is_set():
        for _ in range(20):
            api.api.ok("POST", "/api/events", batch)
            published[number] += PER_REQUEST + 1
        while sum(published) - _performed(worker) > MOST_WAITING and not enough.is_set():
            enough.wait(LOOK_SECONDS)


def _performed(worker: Ogel) -> int:
    text = worker.api("GET", "/metrics").raw.decode()
    return int(sum(map(float, _DONE.findall(text))))


def _slope(points: Sequence[tuple[int, float]]) -> float:
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
