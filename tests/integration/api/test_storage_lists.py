"""Lists of objects, held against the same lists made in the plainest way; and how little of a large bucket is read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ogel.features.storage.objects.listing import ObjectLister
from ogel.kernel.principal import AUTHENTICATED, SYSTEM, Principal
from ogel.runtime.database.database import Database, Transaction
from tests.support.world import World

# Beside each other are what differs in case, what sorts on either side of a slash, and text of several scripts.
_ROWS_READ = b"""
SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_all_tables WHERE relid = 'storage.objects'::regclass
"""
SEGMENT = st.text(st.sampled_from("aAbZ 0-.~é_日😀"), max_size=3)
NAMES = st.sets(st.lists(SEGMENT, min_size=1, max_size=4).map("/".join).filter(bool), max_size=25)
PREFIXES = st.one_of(st.just(""), NAMES.map(lambda names: min(names, default="")[:2]))


@pytest.fixture(scope="module")
def connection(suite_servers: dict[str, str]) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(suite_servers["DATABASE_URL"], autocommit=True) as connection:
        yield connection


def a_bucket(connection: psycopg.Connection[Any], names: Sequence[str]) -> str:
    """With objects that were made in this order, of which each two have the same time."""
    id = f"l-{uuid4().hex[:12]}"
    connection.execute("INSERT INTO storage.buckets (id, name) VALUES (%s, %s)", [id, id])
    connection.execute(
        "INSERT INTO storage.objects (bucket_id, name, version, created_at, updated_at)"
        " SELECT %s, name, gen_random_uuid()::text, moment, moment"
        " FROM unnest(%s::text[]) WITH ORDINALITY AS given (name, number),"
        " LATERAL (SELECT timestamptz '2026-01-01' + interval '1 second' * (number / 2)) AS dated (moment)",
        [id, list(names)],
    )
    return id


def mixed(names: set[str]) -> list[str]:
    return sorted(names, key=lambda name: name[::-1])


def grouped(names: Sequence[str], prefix: str) -> list[str]:
    found = []
    for name in names:
        if name.startswith(prefix):
            folder, slash, _ = name[len(prefix) :].partition("/")
            found.append(prefix + folder + slash)
    return list(dict.fromkeys(found))


def walked(api: World, bucket: str, limit: int, **wanted: Any) -> list[str]:
    """All pages of a list."""
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = api.ok(
            "POST", f"/storage/v1/object/list-v2/{bucket}", {**wanted, "limit": limit, "cursor": cursor}
        )
        listed = [*page["folders"], *page["objects"]]
        assert len(listed) == limit if page["hasNext"] else len(listed) <= limit
        found += [each["name"] for each in listed]
        cursor = page.get("nextCursor")
    return found


@settings(max_examples=12, deadline=None)
@given(names=NAMES, prefix=PREFIXES, limit=st.integers(1, 5), descending=st.booleans())
def test_pages_of_names_and_folders_are_whole(
    api: World,
    connection: psycopg.Connection[Any],
    names: set[str],
    prefix: str,
    limit: int,
    descending: bool,
) -> None:
    bucket = a_bucket(connection, mixed(names))
    in_order = sorted(names, key=str.encode, reverse=descending)
    order = {"sortBy": {"column": "name", "order": "desc" if descending else "asc"}}
    flat = walked(api, bucket, limit, prefix=prefix, **order)
    assert flat == [name for name in in_order if name.startswith(prefix)]
    folded = walked(api, bucket, limit, prefix=prefix, with_delimiter=True, **order)
    assert sorted(folded) == sorted(grouped(in_order, prefix))


@settings(max_examples=8, deadline=None)
@given(names=NAMES, limit=st.integers(1, 5), descending=st.booleans(), folders=st.booleans())
def test_pages_in_the_order_of_a_time_are_whole(
    api: World,
    connection: psycopg.Connection[Any],
    names: set[str],
    limit: int,
    descending: bool,
    folders: bool,
) -> None:
    bucket = a_bucket(connection, mixed(names))
    order = {"sortBy": {"column": "created_at", "order": "desc" if descending else "asc"}}
    found = walked(api, bucket, limit, with_delimiter=folders, **order)
    assert sorted(found) == sorted(grouped(sorted(names), "") if folders else names)


def listed(api: World, bucket: str, **wanted: Any) -> list[str]:
    found = api.ok("POST", f"/storage/v1/object/list/{bucket}", wanted)
    return [each["name"] + ("/" if each["id"] is None else "") for each in found]


@settings(max_examples=12, deadline=None)
@given(
    names=NAMES,
    path=SEGMENT,
    search=st.sampled_from(["", "A", "b", "é", "a/", "A/b"]),
    limit=st.integers(1, 4),
)
def test_folders_are_listed_whole_whatever_the_case_of_their_letters(
    api: World, connection: psycopg.Connection[Any], names: set[str], path: str, search: str, limit: int
) -> None:
    bucket = a_bucket(connection, mixed(names))
    inside = f"{path}/" if path else ""
    within, slash, start = search.rpartition("/")
    below = inside + within + slash
    expected = [
        each[len(inside) :]
        for each in grouped(sorted(names), below)
        if each[len(below) :].lower().startswith(start.lower())
    ]
    pages: list[str] = []
    while page := listed(api, bucket, prefix=path, search=search, limit=limit, offset=len(pages)):
        pages += page
    assert sorted(pages) == sorted(expected)
    backwards = listed(api, bucket, prefix=path, search=search, sortBy={"column": "name", "order": "desc"})
    assert backwards == pages[::-1]
    for column in ("created_at", "last_accessed_at"):
        found = listed(api, bucket, prefix=path, search=search, sortBy={"column": column, "order": "desc"})
        assert sorted(found) == sorted(expected)
    if all(name.isascii() for name in names):
        assert [name.rstrip("/").lower() for name in pages] == sorted(
            name.rstrip("/").lower() for name in pages
        )


def test_what_cannot_be_the_name_of_anything_lists_nothing(api: World) -> None:
    for wanted in ({"prefix": "a\0"}, {"prefix": "", "search": "\0"}):
        assert api.ok("POST", "/storage/v1/object/list/nope", wanted) == []
    page = api.ok("POST", "/storage/v1/object/list-v2/nope", {"prefix": "\0", "with_delimiter": True})
    assert (page["folders"], page["objects"]) == ([], [])
    assert api("POST", "/storage/v1/object/list-v2/nope", {"cursor": "garbage"}).status == 400
    assert api("DELETE", "/storage/v1/object/nope", {"prefixes": ["a\0", "b"]}).json == []


class _Within:
    """A database whose only transaction is one that goes on."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        yield self._tx


@pytest.mark.parametrize("principal", [SYSTEM, Principal("user", str(UUID(int=7)), role=AUTHENTICATED)])
def test_a_folder_costs_as_much_as_an_object(
    api: World, connection: psycopg.Connection[Any], principal: Principal
) -> None:
    """2,000 objects in two folders are not read for a list that shows the folders, also under policies."""
    bucket = a_bucket(connection, [f"{half}/{number:05}" for half in "ab" for number in range(1000)])
    connection.execute("ANALYZE storage.objects")
    connection.execute(
        """UPDATE storage.buckets SET permissions = '{"read": ["users"]}' WHERE id = %s""", [bucket]
    )

    async def story() -> int:
        async with api.platform.core.database.transaction() as tx:
            lister = ObjectLister(cast(Database, _Within(tx)))
            for descending in (False, True):
                found = await lister.folder(principal, bucket, "", limit=10, descending=descending)
                assert sorted(each.name for each in found) == ["a", "b"]
                walked = await lister.walk(principal, bucket, delimiter="/", limit=1, descending=descending)
                assert walked.more
            inside = await lister.folder(principal, bucket, "a", search="0099", limit=3)
            assert [each.name for each in inside] == ["a/00990", "a/00991", "a/00992"]
            last = await lister.walk(principal, bucket, prefix="b/", after="b/00997", limit=10)
            assert [each.name for each in last.entries] == ["b/00998", "b/00999"]
            return int(await tx.value(_ROWS_READ))

    # How many rows a step reads differs with what other tests have left in the table; all of one folder would be 1,000.
    assert api.run(story()) < 500
