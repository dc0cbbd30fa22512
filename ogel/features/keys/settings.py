"""The settings of API keys."""

from __future__ import annotations

from dataclasses import dataclass

from ogel.knobs import knob, real


@dataclass(frozen=True, slots=True)
class KeysSettings:
    retention_days: float = knob(
        "OGEL_KEY_RETENTION_DAYS",
        takes=real(0.01, 36500, "days"),
        default=365.0,
        meaning="API keys that were revoked or expired longer ago than this are deleted.",
    )
