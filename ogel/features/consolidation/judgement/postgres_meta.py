"""Postgres Meta: Studio can't do without; whoever only reads the catalog can have that from Ogel."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.features.consolidation.judgement.verdict import (
    Judgement,
    keep,
    listed,
    name_of,
    people,
    removal,
    remove_silent,
    return_of,
    unknown,
    unseen_use,
)
from ogel.features.consolidation.seen import Seen

# What `/api/databases/ID/…` has as well.
_READ_HERE = frozenset({"/schemas", "/tables", "/columns", "/indexes", "/extensions"})


def judge(seen: Seen) -> Judgement:
    studios = [each for each in seen.referrers or () if each.kind == "studio"]
    others = seen.referred_by("studio", "kong", "envoy", "nginx")
    if studios:
        return keep(f"Studio needs it for tables, SQL and policies: {people(studios)}.")
    if not seen.referrers and unseen_use(seen) is None:
        return remove_silent(
            seen,
            "No Studio and no other service refers to it, and nobody has asked it anything in these days.",
            "It holds no data: all that it shows is in the database. A Studio elsewhere with its address would lose "
            "its tables.",
        )
    paths = {path for each in seen.requests for path, _ in each.paths}
    if seen.used and paths and {_head(each) for each in paths} <= _READ_HERE:
        return _replace(seen, sorted(paths))
    if seen.used or others:
        by = f" by {people(others)}" if others else ""
        what = f": {listed(sorted(paths))}" if paths else ""
        return keep(
            f"It is used{by}{what}. Ogel reads catalogs, and runs no SQL for others.", look=_look(seen)
        )
    return unknown(seen, "Whether anybody uses it was not seen.", look=_look(seen))


def _head(path: str) -> str:
    return "/" + path.split("/")[1]


def _replace(seen: Seen, paths: Sequence[str]) -> Judgement:
    return Judgement(
        "replace",
        f"It is asked for {listed(paths)} alone, and no Studio refers to it: Ogel shows these of registered databases.",
        "low",
        "The answers have other fields, so whoever reads them has to be changed.",
        steps=[
            "ogel databases add NAME --url-from DATABASE_URL   # then GET /api/databases/ID/tables (docs/databases.md)",
            *([f"Point {people(seen.referrers)} there."] if seen.referrers else []),
            *removal(seen),
        ],
        back=return_of(seen),
    )


def _look(seen: Seen) -> Sequence[str]:
    fetch = "fetch('http://localhost:8080/config/version').then(r => r.text()).then(console.log)"
    return [
        f'railway ssh --service {name_of(seen)} -- node -e "{fetch}"',
        f"railway logs --service {name_of(seen)} --lines 200",
    ]
