"""Series of measurements, from a number, a function of the time, or points; and what they come to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

Points = Sequence[tuple[datetime, float]]
Spec = float | Callable[[datetime], float] | Points
_STEP = timedelta(hours=1)


def is_flow(measurement: str) -> bool:
    """It is said by the hour, and adds up; all others are said of a moment, and last."""
    return measurement.startswith("NETWORK_")


def samples(
    spec: Spec, measurement: str, start: datetime, end: datetime, seconds: int
) -> list[tuple[int, float]]:
    """One for each interval: its average, of a flow its sum. Points are told as they are, those of an interval so."""
    step = timedelta(seconds=seconds)
    found = []
    at = start
    while at < end:
        until = min(at + step, end)
        if isinstance(spec, Sequence):
            values = [value for moment, value in spec if at <= moment < until]
            value = (sum(values) if is_flow(measurement) else sum(values) / len(values)) if values else None
        else:
            rate = spec(at) if callable(spec) else spec
            value = rate * ((until - at) / _STEP) if is_flow(measurement) else rate
        if value is not None:
            found.append((int(at.timestamp()), value))
        at += step
    return found


def amount(spec: Spec, measurement: str, start: datetime, end: datetime) -> float:
    """As it is billed: of a flow what there was, of others times minutes. A point lasts until the next one."""
    if isinstance(spec, Sequence):
        inside = [(moment, value) for moment, value in spec if start <= moment < end]
        if is_flow(measurement):
            return sum(value for _, value in inside)
        ends = [*(moment for moment, _ in inside[1:]), end]
        return sum(
            value * ((until - moment) / timedelta(minutes=1))
            for (moment, value), until in zip(inside, ends, strict=True)
        )
    total, at = 0.0, start
    while at < end:
        until = min(at + _STEP, end)
        rate = spec(at) if callable(spec) else spec
        total += rate * ((until - at) / (_STEP if is_flow(measurement) else timedelta(minutes=1)))
        at = until
    return total
