"""The settings of the audit log."""

from __future__ import annotations

from dataclasses import dataclass

from ogel.knobs import knob, real


@dataclass(frozen=True, slots=True)
class AuditSettings:
    retention_days: float = knob(
        "OGEL_AUDIT_RETENTION_DAYS",
        takes=real(0.01, 36500, "days"),
        default=90.0,
        meaning="Audit records older than this are deleted.",
    )
