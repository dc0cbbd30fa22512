"""Every server outside this process that the settings name, with the variable that does."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from ogel.runtime.network.server import NamedServer
from ogel.settings import Settings


def named_servers(settings: Settings) -> Sequence[NamedServer]:
    """Those of sections that were read, or filled; where they are defaults, nothing of theirs is set."""
    found = [_given(settings, each) for each in settings.servers()]
    for kind, section in settings.sections.items():
        feature = kind.__module__.split(".")[-2]  # of ogel.features.mail.settings
        found += [_given(settings, each, f"{feature}.") for each in section.servers()]
    return found


def _given(settings: Settings, server: NamedServer, prefix: str = "") -> NamedServer:
    field = f"{prefix}{server.field}"
    return replace(server, field=field, variable=settings.sources.get(field))
