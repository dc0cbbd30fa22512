"""
The manifest of realtime: while clients are connected, new events become broadcast jobs, and streams forward them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from ogel.features.realtime.channels.purges import purges_of_channels
from ogel.features.realtime.jobs import QUEUE, announce, publish_job
from ogel.features.realtime.listening import Listening
from ogel.features.realtime.settings import RealtimeSettings
from ogel.runtime.core import Core
from ogel.runtime.feature import BackgroundService, Feature
from ogel.runtime.realtime.metrics import RealtimeMetrics

if TYPE_CHECKING:
    from ogel.features.realtime.centrifuge.commands import Commands
    from ogel.features.realtime.channels.publishing import ChannelPublisher
    from ogel.features.realtime.channels.service import ChannelService
    from ogel.features.realtime.channels.subscribing import Subscriptions
    from ogel.features.realtime.listening import Presence
    from ogel.features.realtime.namespaces.service import NamespaceService
    from ogel.features.realtime.rights.tokens import SubscriptionTokens
    from ogel.runtime.http.credentials import Authenticators
    from ogel.runtime.http.route import Route, Stream
    from ogel.runtime.realtime.connections.registry import Registry
    from ogel.runtime.realtime.feed import RealtimeFeed


class RealtimeFeature:
    """
    What of realtime this process has: publishing to channels in most, and the streams with all that feeds them in those
    that offer them, which have to run `serve` beside their HTTP server.
    """

    def __init__(
        self,
        core: Core,
        settings: RealtimeSettings,
        presence: Presence | None = None,
        authenticators: Authenticators | None = None,
    ) -> None:
        """`authenticators` are those of all features, unless others are given."""
        self.metrics = RealtimeMetrics(core.registry)
        self._core = core
        self._settings = settings
        self._authenticators = authenticators
        self._presence = presence or Listening(core.database)

    async def serve(self, stop: asyncio.Event) -> None:
        """Feeds the streams until `stop`, then ends them."""
        await asyncio.gather(
            self.feed.run(stop),
            self.subscriptions.following.run(stop),
            self.centrifuge_commands.judging.run(stop),
            self._presence.run(stop),
        )

    @cached_property
    def feed(self) -> RealtimeFeed:
        from ogel.runtime.realtime.feed import RealtimeFeed

        following, core = self.subscriptions.following, self._core
        return RealtimeFeed(
            self.connections, following.heard, following.connected, core.broadcast, core.watch, self.metrics
        )

    @cached_property
    def connections(self) -> Registry:
        from ogel.features.realtime.options import options_of
        from ogel.runtime.realtime.connections.registry import Registry

        return Registry(self.metrics, options_of(self._settings, self._core.drain_seconds))

    @cached_property
    def subscriptions(self) -> Subscriptions:
        from ogel.features.realtime.channels.following import Following
        from ogel.features.realtime.channels.metrics import ChannelMetrics
        from ogel.features.realtime.channels.subscribing import Subscriptions
        from ogel.runtime.realtime.globs import GlobIndex, NameIndex
        from ogel.runtime.realtime.hub import Hub

        database, dispatcher = self._core.database, self.connections.dispatcher
        metrics = ChannelMetrics(self._core.registry)
        return Subscriptions(
            database,
            lambda deliver, lost: Following(database, deliver, lost, metrics),
            Hub(NameIndex(), dispatcher, self.metrics),
            Hub(GlobIndex(), dispatcher, self.metrics),
            metrics,
        )

    @cached_property
    def publisher(self) -> ChannelPublisher:
        from ogel.features.realtime.channels.publishing import ChannelPublisher
        from ogel.features.realtime.channels.sending import Sender

        core = self._core
        return ChannelPublisher(core.database, Sender(core.broadcast, core.registry))

    @cached_property
    def channels(self) -> ChannelService:
        from ogel.features.realtime.channels.service import ChannelService

        return ChannelService(self._core.database, self.publisher, self._settings.publication_bytes)

    @cached_property
    def subscription_tokens(self) -> SubscriptionTokens:
        from ogel.features.realtime.rights.tokens import PURPOSE, SubscriptionTokens

        return SubscriptionTokens(self._core.vault.keys_for(PURPOSE))

    @cached_property
    def namespaces(self) -> NamespaceService:
        from ogel.features.realtime.namespaces.service import NamespaceService

        return NamespaceService(self._core.database, self._core.audit)

    def routes(self) -> Sequence[Route]:
        from ogel.features.realtime.channels.routes import ChannelRoutes
        from ogel.features.realtime.namespaces.routes import NamespaceRoutes
        from ogel.features.realtime.rights.routes import TokenRoutes

        return [
            *ChannelRoutes(self.channels).routes(),
            *TokenRoutes(self.subscription_tokens).routes(),
            *NamespaceRoutes(self.namespaces).routes(),
        ]

    def streams(self) -> Sequence[Stream]:
        from ogel.features.realtime.centrifuge import routes as centrifuge
        from ogel.features.realtime.own.cursor import Cursors
        from ogel.features.realtime.routes import streams

        cursors = Cursors(self.cursor_keys)
        return [
            *streams(self.connections, self.subscriptions, self._presence, self._core.watch, cursors),
            *centrifuge.streams(self.connections, self.centrifuge_commands),
        ]

    @cached_property
    def centrifuge_commands(self) -> Commands:
        from ogel.features.realtime.centrifuge.commands import Commands
        from ogel.features.realtime.centrifuge.credentials import Credentials

        return Commands(
            self.subscriptions,
            self.namespaces,
            self.channels,
            self.subscription_tokens,
            Credentials(self._known_authenticators),
            self._core.watch,
            self._settings.ping_seconds,
        )

    def _known_authenticators(self) -> Authenticators:
        if self._authenticators is None:
            knowing = self._core.features.bringing("authenticators")
            self._authenticators = {
                kind: each for feature in knowing for kind, each in feature.authenticators.items()
            }
        return self._authenticators

    @property
    def cursor_keys(self) -> Sequence[bytes]:
        return self._core.vault.keys_for("realtime cursor")


def build(core: Core, settings: RealtimeSettings) -> Feature:
    realtime = RealtimeFeature(core, settings)
    return Feature(
        name="realtime",
        routes=realtime.routes,
        streams=realtime.streams,
        scopes={
            "realtime:read": "hear events and channels, and look at what channels keep",
            "realtime:write": "publish to channels",
        },
        jobs=[publish_job(core.broadcast)],
        subscribers={QUEUE: announce},
        services=[BackgroundService("realtime", realtime.serve, where="realtime")],
        purges=purges_of_channels(),
        tables=["realtime_channels", "realtime_listening", "realtime_namespaces", "realtime_publications"],
        left_out={
            "realtime_listening": "who listened then does not listen now",
            "realtime_channels": "a position in a restored database would be one of another history",
            "realtime_publications": "clients have heard them, or missed them for good",
        },
        peaks={"realtime.connections": realtime.metrics.take_peak},
        settings=settings,
        offers=realtime,
    )
