"""The settings of webhooks."""

from __future__ import annotations

from dataclasses import dataclass

from ogel.knobs import knob, real, reals, whole


@dataclass(frozen=True, slots=True)
class WebhooksSettings:
    timeout_seconds: float = knob(
        "OGEL_WEBHOOK_TIMEOUT_SECONDS",
        takes=real(1, 30, "seconds"),
        default=10.0,
        meaning="For endpoints that name none; covers look-up, connect, send and answer.",
    )
    retry_delays: tuple[float, ...] = knob(
        "OGEL_WEBHOOK_RETRY_DELAYS",
        takes=reals(0, 7 * 86400, "seconds", most_of_them=50),
        default=(5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 50400.0, 72000.0, 86400.0),
        meaning="Between the attempts of a delivery, on average (one attempt more than delays).",
    )
    probe_seconds: float = knob(
        "OGEL_WEBHOOK_PROBE_SECONDS",
        takes=real(0.1, 3600, "seconds"),
        default=15.0,
        meaning="Between probes of an endpoint whose breaker is open; in a long outage up to five minutes.",
    )
    disable_after_seconds: float = knob(
        "OGEL_WEBHOOK_DISABLE_AFTER_SECONDS",
        takes=real(1, 366 * 86400, "seconds"),
        default=5 * 86400.0,
        meaning="An endpoint that does nothing but fail for so long is disabled.",
    )
    alert_open_breakers: int = knob(
        "OGEL_ALERT_OPEN_BREAKERS",
        takes=whole(0, 10**9),
        default=10,
        meaning="Alert when the breakers of more webhook endpoints are open.",
    )
