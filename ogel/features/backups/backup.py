"""A backup as callers ask for it and read it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from ogel.kernel.text import STORABLE_PATTERN

BackupStatus = Literal["running", "complete", "failed"]
Verification = Literal["running", "passed", "failed"]


class NewBackup(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    note: (
        Annotated[str, Meta(max_length=500, pattern=STORABLE_PATTERN, description="Why, for people.")] | None
    ) = None


class Backup(Struct, frozen=True):
    """
    So far `bytes` of about `expected_bytes` have been copied, in `tables` and `rows`; `size` is what they take in the
    store, compressed. A backup that failed, or that is tried again, has an `error`. `verification` is the outcome of
    its last check against the store, null before the first.
    """

    id: str
    status: BackupStatus
    scheduled: bool
    note: str | None
    tables: int
    rows: int
    bytes: int
    expected_bytes: int | None
    size: int
    error: str | None
    verification: Verification | None
    verification_error: str | None
    verified_at: datetime | None
    created_at: datetime
    finished_at: datetime | None
