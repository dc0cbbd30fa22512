"""The settings of realtime: how many clients there may be, and how much each of them may cost."""

from __future__ import annotations

from dataclasses import dataclass

from ogel.knobs import Section, knob, real, whole

_MEGABYTE = 1024**2


@dataclass(frozen=True, slots=True)
class RealtimeSettings(Section):
    connections: int = knob(
        "OGEL_REALTIME_CONNECTIONS",
        takes=whole(0, 1_000_000),
        default=10_000,
        meaning="Most realtime clients in one process. Whoever finds no place is answered 503.",
    )
    connections_per_user: int = knob(
        "OGEL_REALTIME_CONNECTIONS_PER_USER",
        takes=whole(1, 1_000_000),
        default=20,
        meaning="Most of them of one person who has signed in.",
    )
    connections_per_address: int = knob(
        "OGEL_REALTIME_CONNECTIONS_PER_ADDRESS",
        takes=whole(1, 1_000_000),
        default=1_000,
        meaning="Most of them from one client's address, which people behind one router share.",
    )
    connects_per_second: int = knob(
        "OGEL_REALTIME_CONNECTS_PER_SECOND",
        takes=whole(1, 100_000),
        default=500,
        meaning="How many clients may connect to a process each second, and as many more at once. A crowd takes its "
        "turn, so that it does not take the processor from those who are there; beyond 5 s it is answered 503.",
    )
    queue_bytes: int = knob(
        "OGEL_REALTIME_QUEUE_BYTES",
        takes=whole(16 * 1024, 1024 * _MEGABYTE, "bytes"),
        default=_MEGABYTE,
        meaning="A client that leaves more than this unread is sent away as slow.",
    )
    message_bytes: int = knob(
        "OGEL_REALTIME_MESSAGE_BYTES",
        takes=whole(1024, 16 * _MEGABYTE, "bytes"),
        default=64 * 1024,
        meaning="Largest message that a client may send over a WebSocket.",
    )
    messages_per_second: float = knob(
        "OGEL_REALTIME_MESSAGES_PER_SECOND",
        takes=real(1, 100_000, "a second"),
        default=50.0,
        meaning="How many frames a client may send each second, and twice as many at once.",
    )
    bytes_per_second: int = knob(
        "OGEL_REALTIME_BYTES_PER_SECOND",
        takes=whole(1024, 1024 * _MEGABYTE, "bytes"),
        default=256 * 1024,
        meaning="How many bytes a client may send each second, and sixteen times as many at once.",
    )
    ping_seconds: float = knob(
        "OGEL_REALTIME_PING_SECONDS",
        takes=real(1, 300, "seconds"),
        default=25.0,
        meaning="A client that has heard nothing for so long is pinged: proxies close what is idle, some after 60 s.",
    )
    publication_bytes: int = knob(
        "OGEL_REALTIME_PUBLICATION_BYTES",
        takes=whole(1024, 1024 * 1024, "bytes"),
        default=256 * 1024,
        meaning="Most bytes of what is published to a channel.",
    )
