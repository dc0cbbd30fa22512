"""The tables of a Supabase-style database that tell who uses the services before it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ogel.runtime.surveys import TableSeen, TableWanted

WANTED: Sequence[TableWanted] = (
    TableWanted("auth", "users", ("last_sign_in_at", "created_at")),
    TableWanted("auth", "sessions", ("refreshed_at", "updated_at", "created_at")),
    TableWanted("auth", "identities", ("last_sign_in_at", "created_at"), label="provider"),
    TableWanted("auth", "oauth_clients", ("created_at",)),
    TableWanted("auth", "saml_providers", ("created_at",)),
    TableWanted("storage", "buckets", ("updated_at",)),
    TableWanted("storage", "objects", ("updated_at", "created_at")),
    TableWanted("_realtime", "tenants", ("updated_at",)),
    TableWanted("realtime", "subscription", ("created_at",)),
    TableWanted("realtime", "messages", ("inserted_at",)),
    TableWanted("public", "schema_meta"),
    TableWanted("public", "services", ("created_at",)),
    TableWanted("public", "routes", ("created_at",)),
    TableWanted("public", "plugins", ("created_at",), label="name"),
    TableWanted("public", "consumers", ("created_at",)),
)
# A shop has services and routes as well; only together these are Kong's.
_OF_KONG = frozenset({"schema_meta", "services", "routes", "plugins", "consumers"})


class Tables(Struct, frozen=True):
    """What was found in one database, `name` of the service that it is."""

    name: str
    seen: Sequence[TableSeen]

    def of(self, schema: str) -> Sequence[TableSeen]:
        found = [each for each in self.seen if each.schema == schema]
        if schema == "public" and {each.name for each in found} < _OF_KONG:
            return ()
        return found


def table(databases: Sequence[Tables], schema: str, name: str) -> TableSeen | None:
    """The one with most rows, where several databases have it."""
    found = [each for one in databases for each in one.of(schema) if each.name == name]
    return max(found, key=lambda each: each.rows or 0, default=None)


def rows(databases: Sequence[Tables], schema: str, name: str) -> int | None:
    """None: there is no such table, or it may not be read."""
    found = table(databases, schema, name)
    return found.rows if found is not None else None
