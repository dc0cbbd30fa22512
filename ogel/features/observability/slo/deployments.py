"""
How well changes arrive, by what Railway tells of an environment's deployments: how many of them work, how many do not,
and how long both take. A change is what a commit (or an image) makes, in however many services it is deployed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import mean, median

from msgspec import Struct
from msgspec.structs import replace

from ogel.runtime.railway import Deployment

# It works, or did until another one took its place.
_LIVE = frozenset({"SUCCESS", "SLEEPING", "REMOVED", "REMOVING"})
_BROKEN = frozenset({"FAILED", "CRASHED"})
_DAY = timedelta(days=1)


class Delivered(Struct, frozen=True):
    """
    What a span had.

    changes            that ended in it, of which `failed` did not build, did not start, crashed or were taken back.
    per_day            changes that went live, on a day of the span or of what is known of it.
    lead_seconds       from the commit to its going live, of half of the changes at most; None: nobody tells when
                       commits were made.
    pushed_seconds     likewise, from the deployment's beginning.
    recovery_seconds   from a failure to what works again, on average.
    open               failures of the span that nothing which works has followed.
    """

    changes: int
    failed: int
    per_day: float
    lead_seconds: float | None
    pushed_seconds: float | None
    recovery_seconds: float | None
    open: int


class _Attempt(Struct, frozen=True):
    """A change in one service."""

    key: str
    began_at: datetime
    ended_at: datetime
    works: bool
    committed_at: datetime | None


class _Failure(Struct):
    began_at: datetime
    over_at: datetime | None = None


class _Service(Struct, frozen=True):
    attempts: Sequence[_Attempt]
    failures: Sequence[_Failure]


class _Change(Struct, frozen=True):
    """In all its services: it has ended with the last of them, and works if it does in each."""

    attempts: Sequence[_Attempt]

    @property
    def began_at(self) -> datetime:
        return min(each.began_at for each in self.attempts)

    @property
    def ended_at(self) -> datetime:
        return max(each.ended_at for each in self.attempts)

    @property
    def committed_at(self) -> datetime | None:
        return next((each.committed_at for each in self.attempts if each.committed_at is not None), None)

    @property
    def failed(self) -> bool:
        return not all(each.works for each in self.attempts)

    @property
    def live_at(self) -> datetime | None:
        return max((each.ended_at for each in self.attempts if each.works), default=None)


def delivered(
    deployments: Iterable[Deployment],
    environment_id: str,
    begin: datetime,
    now: datetime,
    committed: Mapping[str, datetime],
) -> Delivered:
    """
    Those of other environments, of pull requests for example, are left out. `committed`: when their commits were
    made, by those of which it is known.
    """
    ours = sorted(
        (each for each in deployments if each.environment_id == environment_id),
        key=lambda each: (each.created_at, each.id),
    )
    services = [
        _of_service([each for each in ours if each.service_id == id], committed)
        for id in sorted({each.service_id for each in ours})
    ]
    changes = [
        change
        for change in _changes(attempt for each in services for attempt in each.attempts)
        if begin <= change.ended_at <= now
    ]
    failures = [each for service in services for each in service.failures if each.began_at <= now]
    recoveries = [
        (each.over_at - each.began_at).total_seconds()
        for each in failures
        if each.over_at is not None and begin <= each.over_at <= now
    ]
    live = [(change, at) for change in changes if (at := change.live_at) is not None]
    known_since = max(begin, ours[0].created_at) if ours else begin
    return Delivered(
        changes=len(changes),
        failed=sum(change.failed for change in changes),
        per_day=len(live) / max(1.0, (now - known_since) / _DAY),
        lead_seconds=_median((change.committed_at, at) for change, at in live),
        pushed_seconds=_median((change.began_at, at) for change, at in live),
        recovery_seconds=mean(recoveries) if recoveries else None,
        open=sum(each.over_at is None and each.began_at >= begin for each in failures),
    )


def _of_service(deployments: Sequence[Deployment], committed: Mapping[str, datetime]) -> _Service:
    """In the order in which they were made, which need not be the one in which they ended."""

    def attempt(of: Deployment, ended_at: datetime, works: bool) -> _Attempt:
        return _Attempt(_key(of), of.created_at, ended_at, works, committed.get(of.id))

    attempts: list[_Attempt] = []
    failures: list[_Failure] = []
    failed_since: Deployment | None = None
    last: Deployment | None = None
    former: dict[str, int] = {}
    for each in deployments:
        if each.status in _BROKEN:
            at = each.updated_at or each.created_at
            if last is None or _key(each) != _key(last):
                attempts.append(attempt(each, at, works=False))
            if failed_since is None:
                failures.append(_Failure(at))
                failed_since = each
        elif each.status in _LIVE:
            at, key = _live_at(each, last), _key(each)
            if key not in former:
                former[key] = len(former)
                attempts.append(attempt(each, at, works=True))
            elif last is not None and former[key] < former[_key(last)]:
                _take_back(attempts, failures, last, at)
            if failed_since is not None:
                failures[-1].over_at = max(at, failures[-1].began_at)
                failed_since = None
            last = each
    return _Service(attempts, failures)


def _take_back(
    attempts: list[_Attempt], failures: list[_Failure], bad: Deployment, over_at: datetime
) -> None:
    """What was live before is live again: the change between failed from its going live until now."""
    for place in range(len(attempts) - 1, -1, -1):
        attempt = attempts[place]
        if attempt.key == _key(bad) and attempt.works:
            attempts[place] = replace(attempt, works=False)
            failures.insert(0, _Failure(attempt.ended_at, over_at))
            return


def _live_at(deployment: Deployment, before: Deployment | None) -> datetime:
    """
    Railway tells when the status last changed: of one that works, when it began to. What took its place ended it, so
    that the end of the one before tells of one that has ended, too. Otherwise it is as early as it can have been.
    """
    known = [deployment.updated_at] if deployment.status == "SUCCESS" and not deployment.stopped else []
    if before is not None and before.status == "REMOVED":
        known.append(before.updated_at)
    return min(
        (at for at in known if at is not None and at >= deployment.created_at), default=deployment.created_at
    )


def _changes(attempts: Iterable[_Attempt]) -> list[_Change]:
    by_key: dict[str, list[_Attempt]] = {}
    for attempt in attempts:
        by_key.setdefault(attempt.key, []).append(attempt)
    return [_Change(each) for each in by_key.values()]


def _key(deployment: Deployment) -> str:
    """What comes from neither a repository nor an image (`railway up`) is a change each time."""
    return deployment.commit or deployment.image or deployment.id


def _median(spans: Iterable[tuple[datetime | None, datetime]]) -> float | None:
    known = [max(0.0, (until - since).total_seconds()) for since, until in spans if since is not None]
    return median(known) if known else None
