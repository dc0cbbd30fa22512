"""Looks into databases and stores with the logins that the project's variables hold: reads counts, and no contents."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec.structs import replace

from ogel.features.consolidation.evidence import quoted
from ogel.features.consolidation.seen import Seen
from ogel.features.consolidation.use.credentials import mongo_target, postgres_target, secrets_of, store_keys
from ogel.features.consolidation.use.tables import WANTED, Tables
from ogel.features.consolidation.wire.places import Place
from ogel.runtime.database.registered import TargetError
from ogel.runtime.railway import Instance
from ogel.runtime.secrets.scrub import Scrubber
from ogel.runtime.surveys import StoreRefused, Surveys

MAX_DATABASES = 5

Rendered = Callable[[Instance], Awaitable[Mapping[str, str]]]


class Inside:
    """`rendered` returns the variables of a service, with what references stand for."""

    def __init__(self, surveys: Surveys, rendered: Rendered) -> None:
        self._surveys = surveys
        self._rendered = rendered

    async def look(self, services: Sequence[Seen]) -> Sequence[Seen]:
        postgres = [each for each in services if each.kind == "postgres"][:MAX_DATABASES]
        found = await asyncio.gather(*(self._tables(each) for each in postgres))
        tables = [each for each in found if isinstance(each, Tables)]
        unread = [each for each in found if isinstance(each, str)]
        looked = await asyncio.gather(*(self._own(each) for each in services))
        return [replace(each, databases=tables, unseen=[*each.unseen, *unread]) for each in looked]

    async def _own(self, seen: Seen) -> Seen:
        if seen.kind == "mongodb":
            return await self._documents(seen)
        return await self._objects(seen) if seen.kind == "minio" else seen

    async def _tables(self, seen: Seen) -> Tables | str:
        """Returns why nothing was read as text."""
        place = _place(seen, "postgres")
        if place is None:
            return _unreachable(seen)
        variables = await self._rendered(seen.service)
        target = postgres_target(place, variables)
        if target is None:
            return f"The variables of {quoted(seen.name)} hold no login."
        try:
            return Tables(seen.name, await self._surveys.rows(target, WANTED))
        except TargetError as error:
            return f"{quoted(seen.name)}: {_without_secrets(error.message, variables)}"

    async def _documents(self, seen: Seen) -> Seen:
        if seen.documents is not None and seen.documents.documents is not None:
            return seen  # it has told everybody already
        place = _place(seen, "mongodb")
        if place is None:
            return _with(seen, _unreachable(seen))
        variables = await self._rendered(seen.service)
        if (target := mongo_target(place, variables)) is None:
            return _with(seen, "Its variables hold no login.")
        try:
            return replace(seen, documents=await self._surveys.documents(target))
        except TargetError as error:
            return _with(seen, f"{place.host}:{place.port}: {_without_secrets(error.message, variables)}")

    async def _objects(self, seen: Seen) -> Seen:
        places = [each for each in seen.places if each.speaks == "http" and each.leads_to in (None, 9000)]
        variables = await self._rendered(seen.service) if places else {}
        keys = store_keys(variables)
        if not places or keys is None:
            return _with(seen, _unreachable(seen) if not places else "Its variables hold no keys.")
        why = []
        for place in places:
            try:
                return replace(seen, store=await self._surveys.buckets(place.url, *keys))
            except StoreRefused as error:
                why.append(f"{place.url}: {_without_secrets(error.message, variables)}")
        return _with(seen, *why)


def _place(seen: Seen, speaks: str) -> Place | None:
    return next((each for each in seen.places if each.speaks == speaks), None)


def _with(seen: Seen, *unseen: str) -> Seen:
    return replace(seen, unseen=[*seen.unseen, *unseen])


def _unreachable(seen: Seen) -> str:
    return (
        f"{quoted(seen.name)} cannot be reached from here: it has neither a TCP proxy nor, in this network, "
        "a private name."
    )


def _without_secrets(message: str, variables: Mapping[str, str]) -> str:
    return quoted(Scrubber(secrets_of(variables))(message))
