"""The settings of the gateway."""

from __future__ import annotations

from dataclasses import dataclass

from ogel.knobs import Section, flag, knob


@dataclass(frozen=True, slots=True)
class GatewaySettings(Section):
    maintenance: bool = knob(
        "OGEL_MAINTENANCE",
        takes=flag(),
        default=False,
        meaning="Callers are answered 503, save operators; `ogel maintenance` does so without a restart.",
    )
