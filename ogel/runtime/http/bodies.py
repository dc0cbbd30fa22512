"""
Decodes the JSON body of a route. Large bodies are limited in their structure, or decoded in steps between which other
requests run.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from ogel.kernel.errors import Malformed, TooLarge
from ogel.runtime.http.input import decode_body
from ogel.runtime.http.route import Route

# Bodies up to this size are decoded at once: no shape of them takes long. msgspec holds the GIL while it decodes, so a
# thread would not help the other requests.
STEP_BYTES = 64 * 1024
# Limits the double quotes in a larger body that is a single object. Each name has two and most values do too, so this
# bounds their number, also for a field that is repeated a hundred thousand times. Quotes within texts are escaped and
# not counted.
MOST_QUOTES = 50_000

_ARRAY = re.compile(rb"[ \t\r\n]*+\[")


class BodyDecoder:
    def __init__(self, route: Route) -> None:
        self._whole = msgspec.json.Decoder(route.body)
        self._items = None if route.items is None else _Items(route.items.type, route.items.most)
        self._item_bytes = 0 if route.items is None else route.items.max_bytes

    async def decode(self, body: bytes) -> Any:
        """Decodes the body. Raises Malformed, Invalid or TooLarge."""
        if len(body) <= STEP_BYTES:
            return decode_body(self._whole, body)
        if self._items is None:
            if body.count(b'"') - body.count(b'\\"') > MOST_QUOTES:
                raise Malformed(f"The body has more than {MOST_QUOTES} quotes: too many names and texts.")
        elif _ARRAY.match(body):
            if parts := self._items.apart(body):
                return await self._in_steps(parts)
        elif len(body) > self._item_bytes:
            raise TooLarge(f"The body is larger than {self._item_bytes} bytes, and no array.")
        return decode_body(self._whole, body)

    async def _in_steps(self, parts: Sequence[msgspec.Raw]) -> list[Any]:
        assert self._items is not None
        items, since = [], 0
        for index, part in enumerate(parts):
            size = len(memoryview(part))
            if size > self._item_bytes:
                raise TooLarge(f"body[{index}] is larger than {self._item_bytes} bytes.")
            if since + size > STEP_BYTES:
                await asyncio.sleep(0)
                since = 0
            since += size
            items.append(decode_body(self._items.one, part, f"body[{index}]"))
        return items


class _Items:
    """Splits an array into its items without decoding them, and stops at the first one too many."""

    def __init__(self, type: Any, most: int) -> None:
        self.one = msgspec.json.Decoder(type)
        # For an array msgspec reports excess length only after reading it all; for a struct it does so at the first
        # extra item.
        places = [(f"item_{n}", msgspec.Raw, msgspec.field(default=msgspec.Raw())) for n in range(most)]
        kind = msgspec.defstruct("Parts", places, array_like=True, forbid_unknown_fields=True)
        self._parts = msgspec.json.Decoder(kind)

    def apart(self, body: bytes) -> list[msgspec.Raw]:
        parts = msgspec.structs.astuple(decode_body(self._parts, body))
        return [part for part in parts if len(memoryview(part))]
