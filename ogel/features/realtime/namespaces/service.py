"""Namespaces are set by operators, and known to every process within a second."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from ogel.features.realtime.channels.names import namespace_of
from ogel.features.realtime.namespaces.namespace import (
    DEFAULT,
    NAME_PATTERN,
    UNSET,
    Namespace,
    NamespaceRules,
)
from ogel.kernel.errors import Invalid, NotFound
from ogel.kernel.principal import Caller
from ogel.kernel.roles import parse_role
from ogel.runtime.audit import AuditTrail
from ogel.runtime.believed import BELIEVED_SECONDS
from ogel.runtime.database.database import Database, Queries
from ogel.runtime.together import Together

_SQL = Queries.beside(__name__)
_NAME = re.compile(NAME_PATTERN)
MOST = 1000
_KIND = "realtime_namespace"


class NamespaceService:
    """`version` is another one whenever rules are found to have changed."""

    def __init__(self, database: Database, audit: AuditTrail) -> None:
        self._database = database
        self._audit = audit
        self.version = 0
        self._known: Mapping[str, Namespace] = {}
        self._asked_at = float("-inf")
        self._asking: Together[None, None] = Together(self._look, 1000)

    async def of(self, channel: str) -> Namespace:
        """The rules of a channel, at most a second old. Raises DatabaseAway."""
        return (await self.up_to_date())(channel)

    async def up_to_date(self) -> Callable[[str], Namespace]:
        """The same, for many channels."""
        if time.monotonic() - self._asked_at > BELIEVED_SECONDS:
            await self._asking.ask(None)
        known = self._known
        return lambda channel: known.get(namespace_of(channel)) or known.get("") or UNSET

    async def any_is(self, so: Callable[[Namespace], bool]) -> bool:
        """The same of all there are."""
        await self.up_to_date()
        return any(so(each) for each in self._known.values())

    async def all(self) -> Sequence[Namespace]:
        """The default one first, whether or not it was set."""
        async with self._database.autocommit() as tx:
            found = [_shown(row) for row in await tx.tuples(_SQL.all)]
        return found if found and found[0].name == DEFAULT else [UNSET, *found]

    async def put(self, caller: Caller, name: str, rules: NamespaceRules) -> Namespace:
        stored = _stored(name)
        for field in ("subscribe_roles", "publish_roles"):
            for role in getattr(rules, field):
                try:
                    parse_role(role)
                except ValueError as error:
                    raise Invalid.field(f"body.{field}", str(error)) from None
        async with self._database.transaction() as tx:
            if await tx.value(_SQL.count) >= MOST:
                raise Invalid.field("path.name", f"would be one of more than {MOST} namespaces")
            [row] = await tx.tuples(_SQL.put, {"name": stored, **msgspec.structs.asdict(rules)})
            said = msgspec.to_builtins(rules)
            await self._audit.record(tx, caller, "realtime_namespace.set", _KIND, name, said)
        self._look_again()
        return _shown(row)

    async def delete(self, caller: Caller, name: str) -> None:
        """The default one gets its first rules back. Raises NotFound for one that was not set."""
        async with self._database.transaction() as tx:
            if not await tx.execute(_SQL.delete, {"name": _stored(name)}):
                raise NotFound(f"Namespace {name!r} has no rules of its own.")
            await self._audit.record(tx, caller, "realtime_namespace.delete", _KIND, name)
        self._look_again()

    def _look_again(self) -> None:
        """Whoever has set rules finds them here at once."""
        self._asked_at = float("-inf")

    async def _look(self, those: Sequence[None]) -> Sequence[None]:
        asked_at = time.monotonic()
        async with self._database.autocommit() as tx:
            found = [Namespace(*row) for row in await tx.tuples(_SQL.all)]
        known = {each.name: each for each in found}
        if known != self._known:
            self.version += 1
        self._known, self._asked_at = known, asked_at
        return those


def _stored(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise Invalid.field("path.name", "takes 1 to 64 letters, digits, _, . and -")
    return "" if name == DEFAULT else name


def _shown(row: tuple[Any, ...]) -> Namespace:
    return Namespace(row[0] or DEFAULT, *row[1:])
