"""The JSON body of a route, decoded: a large one in bounded work, or in steps that let other requests in between."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from ogel.kernel.errors import Malformed, TooLarge
from ogel.runtime.http.input import decode_body
from ogel.runtime.http.route import Route

# What is decoded at once, for no shape of it takes long. msgspec holds the interpreter's lock while it decodes, so
# that a thread would not help the others.
STEP_BYTES = 64 * 1024
# Of a body that is larger and one object. Each name has two and most values too, so that this bounds how many there
# are, a field given a hundred thousand times included; within texts they are escaped, and not counted.
MOST_QUOTES = 50_000

_ARRAY = re.compile(rb"[ \t\r\n]*+\[")


class BodyDecoder:
    def __init__(self, route: Route) -> None:
        self._whole = msgspec.json.Decoder(route.body)
        self._items = None if route.items is None else _Items(route.items.type, route.items.most)
        self._item_bytes = 0 if route.items is None else route.items.max_bytes

    async def decode(self, body: bytes) -> Any:
        """Raises Malformed, Invalid or TooLarge."""
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
    """An array taken apart: what is in its items is looked at later, and an item too many ends it at once."""

    def __init__(self, type: Any, most: int) -> None:
        self.one = msgspec.json.Decoder(type)
        # Of an array msgspec says that it is too long once it has read all of it; of a struct, at the first too many.
        places = [(f"item_{n}", msgspec.Raw, msgspec.field(default=msgspec.Raw())) for n in range(most)]
        kind = msgspec.defstruct("Parts", places, array_like=True, forbid_unknown_fields=True)
        self._parts = msgspec.json.Decoder(kind)

    def apart(self, body: bytes) -> list[msgspec.Raw]:
        parts = msgspec.structs.astuple(decode_body(self._parts, body))
        return [part for part in parts if len(memoryview(part))]
