"""What Railway tells of deployments, and how often, how fast and how well changes arrive by that."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

import pytest

from ogel.features.observability.slo.deployments import Delivered, delivered
from ogel.runtime.railway import Deployment

MIDNIGHT = datetime(2026, 11, 29, tzinfo=UTC)
NOW = MIDNIGHT + timedelta(hours=24)
PRODUCTION = "env_production"


class Told(NamedTuple):
    """`10:00-10:05 SUCCESS abc`: made, last changed, how it is, of which commit (`-`: none)."""

    text: str
    service: str = "api"
    environment: str = PRODUCTION
    zone: timezone = UTC

    def deployment(self, number: int) -> Deployment:
        span, status, commit, *more = self.text.split()
        made, _, changed = span.partition("-")
        return Deployment(
            id=f"dep_{number}",
            service_id=self.service,
            environment_id=self.environment,
            status=status,
            created_at=at(made).astimezone(self.zone),
            updated_at=at(changed).astimezone(self.zone) if changed else None,
            stopped="stopped" in more,
            commit=None if commit == "-" or ":" in commit else commit,
            image=commit if ":" in commit else None,
        )


def at(clock: str) -> datetime:
    hours, minutes = map(int, clock.split(":"))
    return MIDNIGHT + timedelta(hours=hours, minutes=minutes)


def of(*told: Told | str, begin: datetime = MIDNIGHT, **committed: str) -> Delivered:
    deployments = [
        (each if isinstance(each, Told) else Told(each)).deployment(n) for n, each in enumerate(told)
    ]
    times = {each.id: at(committed[each.commit]) for each in deployments if each.commit in committed}
    found = delivered(deployments, PRODUCTION, begin, NOW, times)
    # In whatever order Railway lists them.
    assert delivered(deployments[::-1], PRODUCTION, begin, NOW, times) == found
    return found


@pytest.mark.parametrize(
    ("told", "changes", "failed", "per_day"),
    [
        # nothing
        ([], 0, 0, 0),
        # one that works; its predecessor was removed when it was live
        (["09:00-10:04 REMOVED a", "10:00-10:05 SUCCESS b"], 2, 0, 2),
        # what has not ended is nothing yet, what was never tried is nothing at all
        (["10:00 BUILDING a", "10:01 WAITING b", "10:02 SKIPPED c", "10:04 NEWER e"], 0, 0, 0),
        # neither built nor started
        (["10:00-10:02 FAILED a"], 1, 1, 0),
        (["10:00-10:02 CRASHED a"], 1, 1, 0),
        # a redeploy is no change, whether it works or not
        (["10:00-11:01 REMOVED a", "11:00-12:01 REMOVED a", "12:00-12:01 SUCCESS a"], 1, 0, 1),
        (["10:00-10:05 SUCCESS a", "11:00-11:01 FAILED a"], 1, 0, 1),
        # one that sleeps, or was stopped, did work
        (["10:00-11:00 SLEEPING a"], 1, 0, 1),
        (["10:00-11:00 SUCCESS a stopped"], 1, 0, 1),
        # a rollback: the one before it has failed, and going back is no change
        (["09:00-10:01 REMOVED a", "10:00-10:31 REMOVED b", "10:30-10:31 SUCCESS a"], 2, 1, 2 - 1),
        # forward again, to what had been taken back: nothing new
        (
            ["09:00-10:01 REMOVED a", "10:00-10:31 REMOVED b", "10:30-11:01 REMOVED a", "11:00-11:01 SUCCESS b"],
            2, 1, 2 - 1,
        ),
        # a commit that failed and works when it is tried again is one change that failed
        (["10:00-10:02 FAILED a", "10:10-10:15 SUCCESS a"], 1, 1, 1),
        # one commit in three services is one change
        ([Told("10:00-10:05 SUCCESS a", service) for service in ("api", "worker", "cron")], 1, 0, 1),
        # which has failed if it did in one of them
        ([Told("10:00-10:05 SUCCESS a"), Told("10:00-10:03 FAILED a", "worker")], 1, 1, 1),
        # environments of pull requests are not this one
        ([Told("10:00-10:05 SUCCESS a"), Told("10:00-10:03 FAILED b", environment="env_pr_17")], 1, 0, 1),
        # images are changes by their names, and what comes from neither is one each time
        (["10:00-11:01 REMOVED you/app:1", "11:00-11:01 SUCCESS you/app:2"], 2, 0, 2),
        (["10:00-11:01 REMOVED -", "11:00-11:01 SUCCESS -"], 2, 0, 2),
    ],
)  # fmt: skip
def test_changes_are_counted(told: Sequence[Told | str], changes: int, failed: int, per_day: float) -> None:
    found = of(*told)
    assert (found.changes, found.failed, found.per_day) == (changes, failed, per_day)


@pytest.mark.parametrize(
    ("told", "recovery_minutes", "open"),
    [
        (["10:00-10:05 SUCCESS a"], None, 0),
        # from the failure to the next that works
        (["10:00-10:05 FAILED a", "10:10-10:20 SUCCESS b"], 15, 0),
        # a row of failures is one, from its first
        (["10:00-10:05 FAILED a", "10:10-10:15 CRASHED b", "10:20-10:35 SUCCESS c"], 30, 0),
        # not yet
        (["10:00-10:05 CRASHED a"], None, 1),
        (["09:00-09:05 SUCCESS a", "10:00-10:05 CRASHED b"], None, 1),
        # two of them: 15 and 5 minutes
        (
            ["08:00-08:05 FAILED a", "08:10-08:20 SUCCESS b", "09:00-09:05 CRASHED c", "09:06-09:10 SUCCESS d"],
            10, 0,
        ),
        # a redeploy recovers from a crash
        (["10:00-10:05 CRASHED a", "10:07-10:08 SUCCESS a"], 3, 0),
        # a rollback: from the bad one's going live, which is when the one before it was removed
        (["09:00-10:02 REMOVED a", "10:00-10:33 REMOVED b", "10:30-10:32 SUCCESS a"], 30, 0),
        # an older one that takes longer to build is no recovery from what was made after it
        (["10:00-10:12 SUCCESS a", "10:02-10:04 FAILED b"], None, 1),
        # nor is one of another service
        ([Told("10:00-10:05 FAILED a"), Told("10:10-10:20 SUCCESS b", "worker")], None, 1),
        # nor one that was not even made when it happened: the crash of an older one is past
        (["10:00-10:20 CRASHED a", "10:10-10:15 SUCCESS b"], 0, 0),
    ],
)  # fmt: skip
def test_recoveries_are_timed(told: Sequence[Told | str], recovery_minutes: float | None, open: int) -> None:
    found = of(*told)
    assert found.recovery_seconds == (None if recovery_minutes is None else recovery_minutes * 60)
    assert found.open == open


def test_lead_times_are_known_where_commits_are() -> None:
    told = ["10:00-10:05 SUCCESS a", "11:00-11:10 FAILED b", "12:00-12:30 SUCCESS c"]
    assert of(*told).lead_seconds is None
    assert of(*told).pushed_seconds == (5 + 30) / 2 * 60
    assert of(*told, a="09:35").lead_seconds == 30 * 60
    assert of(*told, a="09:35", b="01:00", c="11:30").lead_seconds == 45 * 60
    # A commit's time is what its author's clock said.
    assert of(*told, a="10:30").lead_seconds == 0


def test_a_change_is_live_with_the_last_of_its_services() -> None:
    told = [Told("10:00-10:05 SUCCESS a"), Told("10:01-10:20 SUCCESS a", "worker")]
    assert of(*told, a="09:50").lead_seconds == 30 * 60
    assert of(*told).pushed_seconds == 20 * 60


def test_times_are_the_same_in_every_zone() -> None:
    east, west = timezone(timedelta(hours=9, minutes=30)), timezone(timedelta(hours=-8))
    here = ["09:00-09:05 FAILED a", "09:10-09:20 SUCCESS b"]
    assert of(Told(here[0], zone=east), Told(here[1], zone=west), b="08:20") == of(*here, b="08:20")


def test_a_span_has_what_ended_in_it() -> None:
    told = ["09:00-09:05 SUCCESS a", "10:59-11:01 FAILED b", "11:30-11:31 SUCCESS c"]
    found = of(*told, begin=at("11:00"))
    assert (found.changes, found.failed, found.recovery_seconds) == (2, 1, 30 * 60)
    # On a day of the span, or of what is known of it: not yet a day of it counts as one.
    assert of(*told, begin=MIDNIGHT - timedelta(days=29)).per_day == 2.0
    assert of("00:00-00:05 SUCCESS a", "12:00-12:05 SUCCESS b", begin=at("00:00")).per_day == 2.0


def test_without_a_time_of_the_change_it_is_as_early_as_it_can_be() -> None:
    assert of("10:00 SUCCESS a", a="09:00").lead_seconds == 3600
    # The time of a removed one's last change is that of its removal.
    assert of("10:00-15:00 REMOVED a", "14:58-15:01 SUCCESS b", a="09:00").lead_seconds == 3600
