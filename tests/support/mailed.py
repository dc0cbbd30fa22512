"""The mail that accounts have queued, as its receiver would read it: nothing sends it, so that it stays sealed."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from ogel.features.mail.sealed import unseal
from tests.support.world import World

_URL = re.compile(r"https?://\S+/verify\?\S+")
_CODE = re.compile(r"\b[0-9]{6}\b")
_QUERY = b"""
SELECT m.recipient, r.template, r.locale, r.id, r.sealed
FROM mail_messages AS m JOIN mail_requests AS r ON r.id = m.request_id
WHERE r.sealed IS NOT NULL ORDER BY m.id
"""


class Letter(NamedTuple):
    """`url` is empty where there is no link in it."""

    to: str
    template: str
    locale: str
    text: str
    code: str
    url: str

    @property
    def token(self) -> str:
        return parse_qs(urlsplit(self.url).query)["token"][0]


class Mailed:
    """Each call returns what was queued since the one before."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._seen = 0

    def __call__(self) -> list[Letter]:
        letters = self._world.run(self._letters())
        new = letters[self._seen :]
        self._seen = len(letters)
        return new

    def one(self) -> Letter:
        [letter] = self()
        return letter

    async def _letters(self) -> list[Letter]:
        core = self._world.platform.core
        async with core.database.autocommit() as tx:
            rows = await tx.tuples(_QUERY)
        letters = []
        for to, template, locale, request, sealed in rows:
            text = unseal(core.vault, request, sealed)[1] or ""
            url = _URL.search(text)
            code = _CODE.search(text[: url.start()] + text[url.end() :] if url else text)
            letters.append(Letter(to, template, locale, text, code[0] if code else "", url[0] if url else ""))
        return letters
