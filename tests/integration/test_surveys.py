"""How much there is in servers that are not ours, asked within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from unittest import mock
from urllib.parse import urlsplit

import psycopg
import pytest
from bson import ObjectId

from ogel.adapters.databases import document_survey, row_survey
from ogel.adapters.databases.drivers import Drivers
from ogel.adapters.egress.outgoing import OutgoingClient
from ogel.adapters.storage.bucket_survey import buckets
from ogel.runtime.database.registered import Target, TargetError
from ogel.runtime.surveys import BucketsSeen, DocumentsSeen, StoreRefused, TableWanted
from tests.support.mongo import WANTS_LOGIN, Mongo
from tests.support.receiver import Answer, Receiver, Request

TABLES = """
CREATE SCHEMA shop;
CREATE TABLE shop.orders (id int PRIMARY KEY, kind text, changed_at timestamp, created_at timestamptz);
INSERT INTO shop.orders SELECT n, 'k' || n % 3, '2026-11-20 10:00', now() FROM generate_series(1, 50) AS n;
CREATE TABLE shop.secrets (id int);
INSERT INTO shop.secrets VALUES (1);
CREATE VIEW shop.tricks AS SELECT 1 AS id, pg_sleep(60)::text;
ANALYZE;
"""
WANTED = [
    TableWanted("shop", "orders", ("refreshed_at", "changed_at", "created_at"), label="kind"),
    TableWanted("shop", "secrets", ("created_at",), label="kind"),
    TableWanted("shop", "tricks"),
    TableWanted("shop", "absent"),
]


def target_of(url: str, **changes: str) -> Target:
    parts = urlsplit(url)
    values = {"username": parts.username, "password": parts.password, **changes}
    return Target(
        "postgresql",
        parts.hostname or "",
        parts.port or 0,
        parts.path.lstrip("/"),
        ssl_mode="prefer",
        **values,
    )


def test_rows_are_counted_where_there_are_few(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(TABLES)
    orders, secrets = asyncio.run(row_survey.rows(target_of(empty_database_url), WANTED))
    assert (orders.name, orders.rows, orders.counted) == ("orders", 50, True)
    assert orders.newest == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert orders.labels == ["k0", "k1", "k2"]
    assert (secrets.rows, secrets.newest, secrets.labels) == (1, None, [])
    with mock.patch.object(row_survey, "MAX_COUNTED", 20):
        [orders, _] = asyncio.run(row_survey.rows(target_of(empty_database_url), WANTED))
    assert (orders.rows, orders.counted) == (50, False)


def test_what_may_not_be_read_leaves_the_rest_readable(empty_database_url: str) -> None:
    name = urlsplit(empty_database_url).path.lstrip("/")[-20:]
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(TABLES)
        connection.execute(f"CREATE ROLE reader_{name} LOGIN PASSWORD 'wrong-or-right'")  # type: ignore[arg-type]
        connection.execute(f"GRANT USAGE ON SCHEMA shop TO reader_{name}")  # type: ignore[arg-type]
        connection.execute(f"GRANT SELECT ON shop.orders TO reader_{name}")  # type: ignore[arg-type]
        connection.execute("TRUNCATE shop.secrets")
        try:
            reader = target_of(empty_database_url, username=f"reader_{name}", password="wrong-or-right")
            found = asyncio.run(row_survey.rows(reader, WANTED))
        finally:
            connection.execute(f"DROP OWNED BY reader_{name}; DROP ROLE reader_{name}")  # type: ignore[arg-type]
    assert [(each.name, each.rows, each.counted) for each in found] == [
        ("orders", 50, True),
        ("secrets", None, False),
    ]


def documents(answers: dict[str, dict[str, object]]) -> DocumentsSeen:
    with Mongo(answers) as mongo:
        target = Target("mongodb", "127.0.0.1", mongo.port, "admin", None, None, "disable")
        return asyncio.run(document_survey.documents(target))


def cursor(items: list[dict[str, object]]) -> dict[str, object]:
    return {"cursor": {"id": 0, "ns": "shop.orders", "firstBatch": items}}


NEWEST = datetime(2026, 11, 1, tzinfo=UTC)
SERVER: dict[str, dict[str, object]] = {
    "buildInfo": {"version": "8.0.4"},
    "serverStatus": {
        "uptime": 3600,
        "connections": {"current": 7},
        "opcounters": {"insert": 4, "update": 2, "delete": 1},
    },
    "listDatabases": {"databases": [{"name": "admin"}, {"name": "shop"}, {"name": "logs"}]},
    "dbStats:shop": {"objects": 40, "dataSize": 9000.0},
    "dbStats:logs": {"objects": 2, "dataSize": 100},
    "listCollections:shop": cursor([{"name": "orders", "type": "collection"}]),
    "listCollections:logs": cursor([]),
    "find": cursor([{"_id": ObjectId.from_datetime(NEWEST)}]),
}


def test_documents_of_all_databases_are_counted() -> None:
    found = documents(SERVER)
    assert (found.version, found.databases, found.error) == ("8.0.4", ["shop", "logs"], None)
    assert (found.documents, found.size_bytes, found.writes, found.connections) == (42, 9100, 7, 5)
    assert found.newest == NEWEST


def test_a_server_is_reached_by_ipv6() -> None:
    """Private networks of Railway's older environments have nothing else."""
    with Mongo(SERVER, "::1") as mongo:
        target = Target("mongodb", "::1", mongo.port, "shop", None, None, "disable")
        found = asyncio.run(document_survey.documents(target))
        looked = asyncio.run(Drivers().look(target))
    assert found.documents == 42
    assert looked.stats["documents"] == 40


def test_a_part_of_the_documents_is_not_told_for_all_of_them() -> None:
    found = documents({**SERVER, "dbStats:logs": {**WANTS_LOGIN}})
    assert found.documents is None and found.writes == 7
    assert found.error is not None and "requires authentication" in found.error
    found = documents({"serverStatus": {**WANTS_LOGIN}, "listDatabases": {**WANTS_LOGIN}})
    assert (found.databases, found.documents, found.writes, found.connections) == (None, None, None, None)


def test_nobody_there_is_one_line() -> None:
    with pytest.raises(TargetError):
        asyncio.run(
            document_survey.documents(Target("mongodb", "127.0.0.1", 1, "admin", None, None, "disable"))
        )


def page(first: int, last: int, following: str | None) -> bytes:
    listed = "".join(
        f"<Contents><Key>k{n}</Key><LastModified>2026-11-{n % 20 + 1:02}T10:00:00.000Z</LastModified>"
        "<Size>10</Size></Contents>"
        for n in range(first, last)
    )
    token = f"<NextContinuationToken>{following}</NextContinuationToken>" if following else ""
    return f"<ListBucketResult>{token}{listed}</ListBucketResult>".encode()


@pytest.fixture
def paged() -> Iterator[Receiver]:
    """A store of two buckets, one of which has two pages."""

    def answer(request: Request) -> Answer:
        if "SignedHeaders=host;x-amz-content-sha256;x-amz-date" not in request.headers.get(
            "authorization", ""
        ):
            return Answer(403, b"<Error><Code>AccessDenied</Code></Error>")
        if request.path == "/":
            names = "".join(f"<Bucket><Name>{name}</Name></Bucket>" for name in ("photos", "a&amp;b"))
            return Answer(
                200, f"<ListAllMyBucketsResult><Buckets>{names}</Buckets></ListAllMyBucketsResult>".encode()
            )
        if request.path.startswith("/photos?"):
            second = "continuation-token=t%2F1%3D" in request.path
            return Answer(200, page(4, 6, None) if second else page(0, 4, "t/1="))
        if request.path.startswith("/a%26b?"):
            return Answer(200, page(0, 1, None))
        return Answer(404, b"<Error><Code>NoSuchBucket</Code></Error>")

    with Receiver(answer) as store:
        yield store


def survey(store: Receiver) -> BucketsSeen:
    async def asked() -> BucketsSeen:
        client = OutgoingClient()
        try:
            return await buckets(client, f"http://127.0.0.1:{store.port}", "key", "secret")
        finally:
            await client.close()

    return asyncio.run(asked())


def test_objects_of_all_pages_are_counted(paged: Receiver) -> None:
    found = survey(paged)
    assert (found.buckets, found.objects, found.size_bytes, found.whole) == (["photos", "a&b"], 7, 70, True)
    assert found.newest == datetime(2026, 11, 6, 10, tzinfo=UTC)


def test_pages_without_end_end_for_us() -> None:
    names = b"<Buckets><Bucket><Name>photos</Name></Bucket></Buckets>"
    with Receiver(
        lambda request: Answer(200, names if request.path == "/" else page(0, 10, "more"))
    ) as store:
        found = survey(store)
    assert (found.objects, found.whole) == (200, False)


def test_a_refusal_is_told_by_its_code() -> None:
    refusal = b"<Error><Code>SignatureDoesNotMatch</Code><Message>the key secret</Message></Error>"
    with Receiver(lambda _: Answer(403, refusal)) as store, pytest.raises(StoreRefused) as refused:
        survey(store)
    assert refused.value.message == "it answered 403, SignatureDoesNotMatch"


@pytest.mark.timeout(10)
def test_a_list_that_is_cut_off_or_a_trap_is_no_count() -> None:
    trap = b"<Bucket><Name>photos</Name></Bucket>" + b"<Bucket>" * 200_000
    with Receiver(lambda request: Answer(200, trap if request.path == "/" else page(0, 1, None))) as store:
        assert survey(store).buckets == ["photos"]
    long = b"x" * (2 * 1024 * 1024 + 1)
    with Receiver(lambda _: Answer(200, long)) as store, pytest.raises(StoreRefused) as refused:
        survey(store)
    assert refused.value.message == "it answered with more than 2 MiB"
