"""The settings of backups."""

from __future__ import annotations

from dataclasses import dataclass

from ogel.knobs import knob, whole


@dataclass(frozen=True, slots=True)
class BackupsSettings:
    keep: int = knob(
        "OGEL_BACKUP_KEEP",
        takes=whole(1, 1000),
        default=7,
        meaning="How many backups of the schedule `backups.create` are kept; what people asked for is not counted.",
    )
