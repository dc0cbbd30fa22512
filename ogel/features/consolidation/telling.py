"""The use of a service as evidence: what was asked of whom, and what was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from ogel.features.consolidation.evidence import Evidence, quoted
from ogel.features.consolidation.judgement.verdict import listed, many, people
from ogel.features.consolidation.kinds import Kind
from ogel.features.consolidation.seen import Seen
from ogel.features.consolidation.use.measures import Measures
from ogel.features.consolidation.use.requests import Requests
from ogel.features.consolidation.use.tables import Tables
from ogel.kernel.quantities import size

# Which schemas are about which service; Kong's tables stand in `public` of its database.
_SCHEMAS: dict[Kind, Sequence[str]] = {
    "kong": ("public",),
    "gotrue": ("auth",),
    "storage_api": ("storage",),
    "realtime": ("_realtime", "realtime"),
}


def use_of(seen: Seen, days: float) -> Iterator[Evidence]:
    if seen.referrers is not None:
        yield Evidence(
            "variables", "variables of the other services", people(seen.referrers) or "none refers to it"
        )
    if (latest := seen.service.latest) is not None and latest.status != "SUCCESS":
        told = f"{quoted(latest.status, 40)}, {_moment(latest.updated_at or latest.created_at)}"
        yield Evidence("deployment", "its latest deployment", told)
    for requests in seen.requests:
        yield Evidence("logs", f"{requests.origin}, {days:g} days", _requests(requests))
    if (consumed := _consumed(seen.measures)) is not None:
        yield Evidence("metrics", f"metrics of {days:g} days", consumed)
    yield from _told(seen)
    for database in seen.databases:
        for schema in _SCHEMAS.get(seen.kind, ()):
            yield from _rows(database, schema)


def _requests(requests: Requests) -> str:
    if not requests.lines:
        return "no lines"
    said = [many(requests.answered, "request") + " for a purpose"]
    if requests.connected:
        said.append(many(requests.connected, "connection"))
    said.append(f"{requests.refused:,} refused, {many(requests.probes, 'probe')}")
    if requests.paths:
        said.append(listed([f"{path} {count:,}" for path, count in requests.paths]))
    if requests.last is not None:
        said.append(f"last {_moment(requests.last)}")
    if not requests.complete:
        begins = f" back to {_moment(requests.first)}" if requests.first is not None else ""
        said.append(f"of the newest {requests.lines:,} lines{begins}")
    if not requests.tells:
        said.append("it may not have a line of each request")
    return "; ".join(said)


def _consumed(measures: Measures) -> str | None:
    said = []
    if measures.memory_gb is not None:
        said.append(f"{measures.memory_gb * 1000:,.0f} MB of memory")
    if measures.cpu is not None:
        said.append(f"{measures.cpu * 100:.2g} % of a vCPU")
    if measures.egress_gb is not None:
        said.append(f"{measures.egress_gb:.2g} GB sent a month")
    if measures.disk_gb is not None:
        said.append(f"{measures.disk_gb:.2g} GB of disk")
    return ", ".join(said) or None


def _told(seen: Seen) -> Iterator[Evidence]:
    if (kong := seen.kong) is not None:
        plugins = "plugins not known" if kong.plugins is None else listed(kong.plugins) or "no plugins"
        more = "" if kong.whole else " and more"
        counted = "" if kong.requests is None else f"; {many(kong.requests, 'request')} since it started"
        yield Evidence(
            "wire",
            kong.source,
            f"{_known(kong.services, 'service')}, {_known(kong.routes, 'route')}{more}; {plugins}{counted}",
        )
    if seen.auth is not None:
        sites = listed(seen.auth.external) or "no other sites"
        yield Evidence(
            "wire", "GET /settings", f"sign-in with {sites}; SAML {'on' if seen.auth.saml else 'off'}"
        )
    if seen.meta is not None and seen.meta.connections is not None:
        yield Evidence(
            "wire", "GET /config/version", f"{many(seen.meta.connections, 'connection')} to its database"
        )
    if (documents := seen.documents) is not None:
        yield Evidence("database", "hello, serverStatus, dbStats", _documents(seen))
        if documents.error:
            yield Evidence("database", "hello, serverStatus, dbStats", quoted(documents.error))
    if (store := seen.store) is not None:
        more = "" if store.whole else " and more"
        last = f", last written {_moment(store.newest)}" if store.newest else ""
        yield Evidence(
            "objects",
            "ListBuckets, ListObjectsV2",
            f"{many(len(store.buckets), 'bucket')}, {many(store.objects, 'object')}{more}, "
            f"{size(store.size_bytes)}{last}",
        )


def _documents(seen: Seen) -> str:
    documents = seen.documents
    assert documents is not None
    said = [f"version {quoted(documents.version, 40)}"]
    if documents.documents is not None:
        said.append(
            f"{many(documents.documents, 'document')} in {many(len(documents.databases or ()), 'database')}, "
            f"{size(documents.size_bytes or 0)}"
        )
    if documents.writes is not None and documents.uptime_seconds is not None:
        said.append(f"{many(documents.writes, 'write')} in {documents.uptime_seconds / 86_400:.1f} days")
    if documents.connections is not None:
        said.append(f"{many(documents.connections, 'connection')} besides this one")
    if documents.newest is not None:
        said.append(f"newest document {_moment(documents.newest)}")
    return "; ".join(said)


def _rows(database: Tables, schema: str) -> Iterator[Evidence]:
    for table in database.of(schema):
        if table.rows is None:
            answered = "may not be read"
        else:
            answered = f"{many(table.rows, 'row')} ({'counted' if table.counted else 'estimated'})"
            if table.labels:
                answered += f": {listed([quoted(each, 40) for each in table.labels])}"
            if table.newest is not None:
                answered += f"; newest {_moment(table.newest)}"
        yield Evidence("database", f"{schema}.{table.name} in {quoted(database.name, 60)}", answered)


def _known(number: int | None, what: str) -> str:
    return f"? {what}s" if number is None else many(number, what)


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%MZ")
