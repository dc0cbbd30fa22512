"""What one caller may still ask for of one class, as this process knows it."""

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


class Budget:
    """
    left      requests that the common budget has granted this process, and that have not come yet. They do not expire.
    waiting   requests that wait for an answer of the common budget.
    asked     set while it is asked.
    """

    __slots__ = ("_described", "_low", "_whole_at", "asked", "keys", "left", "policies", "share", "waiting")

    def __init__(self, policies: Sequence[Policy], keys: Sequence[str]) -> None:
        self.policies = policies
        self.keys = keys
        self.share = min(policy.share for policy in policies)
        self.left = 0
        self.waiting = 0
        self.asked: asyncio.Future[None] | None = None
        # More is asked for from here on, so that nobody need wait for it.
        self._low = self.share // 2
        # By policy: as the common budget said last, or as this process counts while there is none.
        self._whole_at = [0.0] * len(policies)
        self._described = _described(policies)

    @property
    def is_low(self) -> bool:
        return self.left < self._low and self.asked is None

    def is_spent(self, now: float) -> bool:
        return any(
            left_of(whole_at, now, policy) == 0
            for policy, whole_at in zip(self.policies, self._whole_at, strict=True)
        )

    def spend(self, now: float) -> bool:
        """One request, counted by this process alone."""
        if self.is_spent(now):
            return False
        self._whole_at = [
            spent(whole_at, now, policy, 1)
            for policy, whole_at in zip(self.policies, self._whole_at, strict=True)
        ]
        return True

    def heard(self, granted: int, owed_seconds: Sequence[float], now: float) -> None:
        """What the common budget answered."""
        self.left += granted
        self._whole_at = [now + owed for owed in owed_seconds]

    def verdict(self, passed: bool, now: float) -> Verdict:
        """With the fields of draft-ietf-httpapi-ratelimit-headers-11."""
        limits, refused_by, longest = [], [], 0
        for policy, whole_at in zip(self.policies, self._whole_at, strict=True):
            left = left_of(whole_at, now, policy)
            # Whole seconds, rounded up: `r` is what may come in the next `t` seconds, not more.
            wait = max(1, math.ceil(wait_seconds(whole_at, now, policy)))
            if not (passed or left):
                refused_by.append(policy.name)
                longest = max(longest, wait)
            limits.append('"%s";r=%d;t=%d' % (policy.name, left + self.left if passed else left, wait))  # noqa: UP031 - twice as fast
        fields = (self._described, (b"ratelimit", ", ".join(limits).encode("ascii")))
        return Verdict(fields, tuple(refused_by), longest)


def _described(policies: Sequence[Policy]) -> tuple[bytes, bytes]:
    items = (f'"{policy.name}";q={policy.quota.requests};w={policy.window_seconds}' for policy in policies)
    return b"ratelimit-policy", ", ".join(items).encode("ascii")
