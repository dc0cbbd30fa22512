"""What channels may be called."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ogel.kernel.text import pattern

MAX_LENGTH = 255
# The stream of events; no client publishes to it, or to any other with this first letter.
EVENTS = "$ogel:events"

CHANNEL_PATTERN = pattern(
    r"^[^\x00-\x20\x7f-\xa0\u2028\u2029$][^\x00-\x1f\x7f-\x9f\u2028\u2029]*(?!\n)$",
    "a channel's name: one line of text that does not begin with a space or $",
)
ChannelName = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=MAX_LENGTH,
        pattern=CHANNEL_PATTERN,
        description="`chat:17`; what stands before the first colon is its namespace.",
    ),
]


def namespace_of(channel: str) -> str:
    """Empty: it has none."""
    namespace, colon, _ = channel.partition(":")
    return namespace if colon else ""
