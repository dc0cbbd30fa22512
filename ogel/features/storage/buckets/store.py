"""Rows of buckets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import msgspec
from psycopg.errors import ForeignKeyViolation

from ogel.features.storage.buckets.bucket import Bucket, BucketChange, NewBucket
from ogel.features.storage.errors import no_such_bucket
from ogel.runtime.database.database import Queries, Transaction

# The columns of a Bucket; others, which users added, are left alone.
_COLUMNS = b", ".join(name.encode() for name in Bucket.__struct_fields__)
_SQL = Queries.beside(__name__, bucket=_COLUMNS)
# By whether they are descending.
_LISTS = [Queries.beside(__name__, bucket=_COLUMNS, order=order) for order in (b"ASC", b"DESC")]
_OF_JSON = ("permissions", "lifecycle")

Column = Literal["id", "name", "created_at", "updated_at"]


class BucketStore:
    async def create(self, tx: Transaction, new: NewBucket, owner: str | None) -> Bucket | None:
        """Returns None when there is one of that id or name, which who asks need not see."""
        parameters = {
            **_rules(new),
            "id": new.id,
            "name": new.name or new.id,
            "type": new.type,
            "owner": owner,
        }
        return await tx.one(_SQL.create, parameters, Bucket)

    async def get(self, tx: Transaction, id: str) -> Bucket | None:
        return await tx.one(_SQL.get, {"id": id}, Bucket)

    async def get_locked(self, tx: Transaction, id: str) -> Bucket | None:
        return await tx.one(_SQL.get_locked, {"id": id}, Bucket)

    async def get_to_change(self, tx: Transaction, id: str) -> Bucket | None:
        return await tx.one(_SQL.get_to_change, {"id": id}, Bucket)

    async def update(self, tx: Transaction, bucket: Bucket) -> Bucket | None:
        """Returns None when there is none, or none that may be changed."""
        return await tx.one(_SQL.update, {**_rules(bucket), "id": bucket.id}, Bucket)

    async def list(
        self,
        tx: Transaction,
        *,
        search: str,
        column: Column,
        descending: bool,
        after: str | None,
        limit: int,
        offset: int,
    ) -> Sequence[Bucket]:
        parameters = {"search": search, "column": column, "after": after, "limit": limit, "offset": offset}
        return await tx.all(_LISTS[descending].list, parameters, Bucket)

    async def is_empty(self, tx: Transaction, id: str) -> bool:
        return bool(await tx.value(_SQL.is_empty, {"id": id}))

    async def delete(self, tx: Transaction, id: str) -> bool:
        return await tx.execute(_SQL.delete, {"id": id}) == 1


def _rules(bucket: Bucket | NewBucket) -> dict[str, Any]:
    """What may be said of a bucket, as parameters."""
    rules = {name: getattr(bucket, name) for name in BucketChange.__struct_fields__}
    for name in _OF_JSON:
        rules[name] = None if rules[name] is None else msgspec.json.encode(rules[name]).decode()
    types = rules["allowed_mime_types"]
    return {**rules, "allowed_mime_types": None if types is None else list(types)}


@contextmanager
def its_bucket_told() -> Iterator[None]:
    """Says that the bucket of a row has been deleted since it was looked at, as StorageError NoSuchBucket."""
    try:
        yield
    except ForeignKeyViolation as error:
        raise no_such_bucket() from error
