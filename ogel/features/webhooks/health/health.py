"""The health of an endpoint, as callers read it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

BreakerState = Literal["closed", "half_open", "open"]
DisabledReason = Literal["failing", "gone"]


class EndpointHealth(Struct, frozen=True):
    """
    state            of its circuit breaker. open: deliveries wait, and one of them is sent now and then as a probe;
                     half_open: a probe succeeded, and the others follow at a growing rate.
    failing_since    the first failure after the last success; null: it is well.
    failures_in_row  without any answer in between that shows that the receiver is alive.
    """

    state: BreakerState
    failing_since: datetime | None
    failures_in_row: int
    next_probe_at: datetime | None
    last_error: str | None


WELL = EndpointHealth("closed", None, 0, None, None)
