"""How long the other side of a request asked to be left alone."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ogel.kernel.clock import utc_now
from ogel.runtime.egress import Exchange

# Whatever it asks for. What stands behind it (a breaker, a delivery, an endpoint) has closer limits of its own.
MOST_RETRY_AFTER_SECONDS = 86_400.0


def retry_after_seconds(exchange: Exchange, now: datetime | None = None) -> float | None:
    """RFC 9110 §10.2.3: seconds or a date, 0 for one in the past. None for none, and for one that cannot be read."""
    text = (exchange.header("retry-after") or "").strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:10])
    else:
        try:
            date = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        seconds = ((date if date.tzinfo else date.replace(tzinfo=UTC)) - (now or utc_now())).total_seconds()
    return min(MOST_RETRY_AFTER_SECONDS, max(0.0, seconds))
