"""A bucket: its rules for the objects in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct


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
    """As `Bucket`; `public` and the others have the defaults that Supabase has."""

    id: str
    public: bool = False
    file_size_limit: int | None = None
    allowed_mime_types: Sequence[str] | None = None
    type: str = "STANDARD"
