"""What is told of the objectives."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from ogel.features.observability.slo.objectives import About, Objective, Unit
from ogel.features.observability.slo.standings import Standing
from ogel.runtime.http.route import Timestamp

Status = Literal["met", "missed", "unknown"]


class ObjectiveInfo(Struct, frozen=True):
    """
    about      service: what its users notice; cost: what it costs; delivery: how well changes arrive.
    target     in `unit`: seconds, share (a part of 1), bytes in 30 days, dollars, per_day.
    at_least   it is missed below the target; otherwise above it.
    windows    by their names: `1h`, `24h`, `30d`.
    note       why something is not known, or what it is known by.
    """

    name: str
    says: str
    about: About
    unit: Unit
    target: float
    at_least: bool
    windows: dict[str, Standing]
    note: str | None = None


class SloReport(Struct, frozen=True):
    """
    `status` is about objectives of the service in the longest window; unknown: nothing was counted. Nothing is known of
    before `since`.
    """

    status: Status
    items: list[ObjectiveInfo]
    since: Timestamp | None
    checked_at: Timestamp


def info(objective: Objective, windows: dict[str, Standing], note: str | None) -> ObjectiveInfo:
    return ObjectiveInfo(
        objective.name,
        objective.says,
        objective.about,
        objective.unit,
        objective.target,
        objective.at_least,
        windows,
        note,
    )
