"""A bucket: its rules for the objects in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace


class Bucket(Struct, frozen=True):
    """
    owner_id            of the user who made it; None: a key did.
    file_size_limit     bytes of an object; None: what the suite takes.
    allowed_mime_types  `image/png`, `image/*`; None or empty: all.
    permissions         what roles may do without a policy: `{"read": ["users"], "update": ["owner"]}`.
    lifecycle           `[{"prefix": "tmp/", "age_days": 7, "action": "delete"}]`.
    """

    id: str
    name: str
    owner: UUID | None
    owner_id: str | None
    public: bool
    file_size_limit: int | None
    allowed_mime_types: Sequence[str] | None
    type: str
    permissions: Mapping[str, Sequence[str]] | None
    lifecycle: Sequence[Mapping[str, Any]]
    scanned: bool
    encrypted: bool
    redirects: bool
    created_at: datetime
    updated_at: datetime


class NewBucket(Struct, frozen=True):
    """As `Bucket`; `public` and the others have the defaults that Supabase has. `name`: None is the id."""

    id: str
    public: bool = False
    file_size_limit: int | None = None
    allowed_mime_types: Sequence[str] | None = None
    type: str = "STANDARD"
    name: str | None = None
    permissions: Mapping[str, Sequence[str]] | None = None
    lifecycle: Sequence[Mapping[str, Any]] = ()
    scanned: bool = False
    encrypted: bool = False
    redirects: bool = False


class BucketChange(Struct, frozen=True, omit_defaults=True):
    """What is to be otherwise of a bucket; UNSET: nothing. A new encryption holds for objects from then on."""

    public: bool | UnsetType = UNSET
    file_size_limit: int | UnsetType | None = UNSET
    allowed_mime_types: Sequence[str] | UnsetType | None = UNSET
    permissions: Mapping[str, Sequence[str]] | UnsetType | None = UNSET
    lifecycle: Sequence[Mapping[str, Any]] | UnsetType = UNSET
    scanned: bool | UnsetType = UNSET
    encrypted: bool | UnsetType = UNSET
    redirects: bool | UnsetType = UNSET

    def of(self, bucket: Bucket) -> Bucket:
        """The bucket as it is then."""
        changed = {
            name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not UNSET
        }
        return replace(bucket, **changed)
