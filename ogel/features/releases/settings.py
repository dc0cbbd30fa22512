"""The settings of releases: what a process knows of where it came from."""

from __future__ import annotations

from dataclasses import dataclass

from ogel.knobs import Section, knob, text


@dataclass(frozen=True, slots=True)
class ReleasesSettings(Section):
    commit: str | None = knob(
        "OGEL_COMMIT",
        "RAILWAY_GIT_COMMIT_SHA",
        takes=text("a commit's hash"),
        default=None,
        meaning="The commit that this process was built of; images built by CI bring it along.",
    )
