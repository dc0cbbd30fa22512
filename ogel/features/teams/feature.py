"""The manifest of teams."""

from __future__ import annotations

from ogel.runtime.core import Core
from ogel.runtime.feature import Feature


def build(core: Core, _: None) -> Feature:
    return Feature(name="teams", tables=["team_invitations", "team_members", "teams"])
