"""An S3 key as callers make and read it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from ogel.kernel.text import LINE_PATTERN

S3_KEYS_READ, S3_KEYS_WRITE = "s3-keys:read", "s3-keys:write"
# The kind of credentials that are signatures.
S3 = "s3"

_Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=LINE_PATTERN)]
_Buckets = Annotated[
    list[Annotated[str, Meta(min_length=1, max_length=100, pattern=LINE_PATTERN)]],
    Meta(min_length=1, max_length=100, description="Names of buckets it may use. Without: all there are."),
]


def secret_purpose(id: str) -> str:
    """What the vault seals the secret of a key for."""
    return f"s3 key:{id}"


class NewS3Key(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    What it may, its maker must: `storage:read`, and `storage:write` unless it is `read_only`. It is good from
    everywhere, until it is revoked.
    """

    name: _Name
    buckets: _Buckets | None = None
    read_only: bool = False


class S3Key(Struct, frozen=True, kw_only=True):
    """`buckets` is null when it may use all; `last_used_at` is exact to the hour."""

    access_key_id: str
    name: str
    buckets: list[str] | None
    read_only: bool
    made_by: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class MadeS3Key(S3Key, frozen=True, kw_only=True):
    """The only response that has the secret."""

    secret_access_key: str
