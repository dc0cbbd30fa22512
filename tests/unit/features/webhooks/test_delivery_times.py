"""Ids in the order of time: what a range of them holds, and that it never leaves out what it should hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from ogel.features.webhooks.deliveries.times import CLOCKS_AGREE, ids_since, ids_until
from ogel.kernel.clock import utc_now
from ogel.kernel.ids import id_at, new_id


def test_an_id_lies_between_the_moments_around_it() -> None:
    before = utc_now()
    id = new_id("dlv")
    after = utc_now() + timedelta(milliseconds=1)
    assert id_at("dlv", before) <= id < id_at("dlv", after)
    assert len(id_at("dlv", before)) == len(id)


def test_moments_sort_as_their_ids_do() -> None:
    moments = [datetime(year, 5, 1, tzinfo=UTC) for year in (1970, 1999, 2026, 2027, 2300, 8999)]
    ids = [id_at("dlv", moment) for moment in moments]
    assert ids == sorted(ids) and len(set(ids)) == len(ids)


@pytest.mark.parametrize("skew", [timedelta(0), CLOCKS_AGREE, -CLOCKS_AGREE])
def test_clocks_that_nearly_agree_leave_nothing_out(skew: timedelta) -> None:
    moment = utc_now()
    id = id_at("dlv", moment + skew)
    assert ids_since(moment) <= id < ids_until(moment + timedelta(milliseconds=1))


@pytest.mark.parametrize("hours", [-14, 0, 14])
def test_the_ends_of_time_are_times_too(hours: int) -> None:
    zone = timezone(timedelta(hours=hours))
    assert ids_since(datetime.min.replace(tzinfo=zone)) == ids_since(None) < new_id("dlv")
    assert ids_until(datetime.max.replace(tzinfo=zone)) == ids_until(None) > new_id("dlv")
