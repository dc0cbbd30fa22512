"""One caller's budget in one rate class, as this process knows it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import NamedTuple

from ogel.runtime.rates.gcra import left_of, spent, wait_seconds
from ogel.runtime.rates.policy import Policy

Fields = Sequence[tuple[bytes, bytes]]


class Verdict(NamedTuple):
    """
    fields               `RateLimit-Policy` and `RateLimit` of the answer, whatever it is; none if nothing is limited.
    refused_by           the names of the policies that let nothing more through; empty: it may pass.
    retry_after_seconds  until it may; 0 if it may now.
    """

    fields: Fields
    refused_by: tuple[str, ...] = ()
    retry_after_seconds: int = 0


UNLIMITED = Verdict(())


class Meter:
    """
    Of one policy, and of whom it counts: when it is whole again. As the common budget said last, or as this process
    counts while there is none.
    """

    __slots__ = ("__weakref__", "whole_at")

    def __init__(self) -> None:
        self.whole_at = 0.0


class Budget:
    """
    meters    one for each policy; those that count for others, too, are given.
    left      requests that the common budget has granted this process, and that have not come yet. They do not expire.
    waiting   requests that wait for an answer of the common budget.
    asked     set while it is asked.
    """

    __slots__ = (
        "_described",
        "_limits",
        "_low",
        "_meters",
        "asked",
        "keys",
        "left",
        "policies",
        "share",
        "waiting",
    )

    def __init__(
        self, policies: Sequence[Policy], keys: Sequence[str], meters: Sequence[Meter] | None = None
    ) -> None:
        self.policies = policies
        self.keys = keys
        self.share = min(policy.share for policy in policies)
        self.left = 0
        self.waiting = 0
        self.asked: asyncio.Future[None] | None = None
        # Below this, more is requested ahead of time, so that no request has to wait.
        self._low = self.share // 2
        # Name, window and interval of each policy, precomputed because every request needs them.
        self._limits = [
            (policy.name.encode("ascii"), policy.window_seconds, policy.interval_seconds)
            for policy in policies
        ]
        self._meters = meters or [Meter() for _ in policies]
        self._described = _described(policies)

    @property
    def is_low(self) -> bool:
        return self.left < self._low and self.asked is None

    def is_spent(self, now: float) -> bool:
        return any(
            left_of(meter.whole_at, now, window, interval) == 0
            for meter, (_, window, interval) in zip(self._meters, self._limits, strict=True)
        )

    def spend(self, now: float) -> bool:
        """Counts one request in this process alone."""
        if self.is_spent(now):
            return False
        for meter, (_, _, interval) in zip(self._meters, self._limits, strict=True):
            meter.whole_at = spent(meter.whole_at, now, interval)
        return True

    def heard(self, granted: int, owed_seconds: Sequence[float], now: float) -> None:
        """Takes the answer of the common budget."""
        self.left += granted
        for meter, owed in zip(self._meters, owed_seconds, strict=True):
            meter.whole_at = now + owed

    def passed(self, now: float) -> Verdict:
        return Verdict((self._described, self._standing(self.left, now)))

    def refused(self, now: float) -> Verdict:
        """Returns the verdict for the policies that are used up."""
        waits = {
            name.decode(): _seconds(meter.whole_at, now, window, interval)
            for meter, (name, window, interval) in zip(self._meters, self._limits, strict=True)
            if left_of(meter.whole_at, now, window, interval) == 0
        }
        fields = (self._described, self._standing(0, now))
        return Verdict(fields, tuple(waits), max(waits.values(), default=1))

    def _standing(self, more: int, now: float) -> tuple[bytes, bytes]:
        """
        Formats the field `RateLimit` of draft-ietf-httpapi-ratelimit-headers-11: `r` requests are left for the next `t`
        seconds, the `more` that this process holds included.
        """
        items = [
            b'"%b";r=%d;t=%d'
            % (
                name,
                left_of(meter.whole_at, now, window, interval) + more,
                _seconds(meter.whole_at, now, window, interval),
            )
            for meter, (name, window, interval) in zip(self._meters, self._limits, strict=True)
        ]
        return b"ratelimit", b", ".join(items)


def _seconds(whole_at: float, now: float, window: float, interval: float) -> int:
    """Returns whole seconds until one more request is allowed."""
    if interval <= 1.0:
        return 1
    return max(1, math.ceil(wait_seconds(whole_at, now, window, interval)))


def _described(policies: Sequence[Policy]) -> tuple[bytes, bytes]:
    items = (f'"{policy.name}";q={policy.quota.requests};w={policy.window_seconds}' for policy in policies)
    return b"ratelimit-policy", ", ".join(items).encode("ascii")
