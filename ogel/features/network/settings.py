"""The settings of the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ogel.knobs import Section, choice, knob


@dataclass(frozen=True, slots=True)
class NetworkSettings(Section):
    public_hops: Literal["warn", "refuse", "allow"] = knob(
        "OGEL_PUBLIC_HOPS",
        takes=choice("warn", "refuse", "allow"),
        default="warn",
        meaning="On Railway, when a server is reached by a public name of Railway's: log and alert, do not start, or"
        " say nothing. docs/network.md.",
    )
