"""What the settings say, as connections want to hear it."""

from __future__ import annotations

from ogel.features.realtime.settings import RealtimeSettings
from ogel.runtime.http.allowance import Rates
from ogel.runtime.realtime.connections.places import PlaceLimits
from ogel.runtime.realtime.connections.registry import ConnectionOptions

# What a client may save up: a burst of messages, or one that is large.
_FRAMES_TIMES, _BYTES_TIMES = 2, 16


def options_of(settings: RealtimeSettings, drain_seconds: float) -> ConnectionOptions:
    return ConnectionOptions(
        places=PlaceLimits(
            connections=settings.connections,
            per_user=settings.connections_per_user,
            per_address=settings.connections_per_address,
            per_second=settings.connects_per_second,
        ),
        queue_bytes=settings.queue_bytes,
        max_message_bytes=settings.message_bytes,
        rates=Rates(
            frames_per_second=settings.messages_per_second,
            frames_at_once=settings.messages_per_second * _FRAMES_TIMES,
            bytes_per_second=settings.bytes_per_second,
            bytes_at_once=settings.bytes_per_second * _BYTES_TIMES,
        ),
        ping_seconds=settings.ping_seconds,
        drain_seconds=drain_seconds,
    )
