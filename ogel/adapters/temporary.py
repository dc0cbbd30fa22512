"""Deletes temporary files: anything in `tmp` below the data directory is deleted a day after its last change."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from itertools import islice
from pathlib import Path

import structlog

from ogel.runtime.database.database import Transaction
from ogel.runtime.purge import MOST_COUNTED, Purge, whole

log = structlog.get_logger(__name__)

RETENTION_DAYS = 1.0


def temporary_directory(data_dir: Path) -> Path:
    return data_dir / "tmp"


def purge_of_temporary_files(data_dir: Path) -> Purge:
    """Covers this machine only: a worker does not see the files of others."""
    directory = temporary_directory(data_dir)

    async def count(_: Transaction, before: datetime) -> int:
        return await asyncio.to_thread(_count, directory, before)

    async def batch(_: Transaction, before: datetime, limit: int) -> int:
        return await asyncio.to_thread(_delete, directory, before, limit)

    return Purge("temporary_files", "temporary files of this machine", RETENTION_DAYS, count, whole(batch))


def _count(directory: Path, before: datetime) -> int:
    return sum(1 for _ in islice(_old_files(directory, before), MOST_COUNTED + 1))


def _delete(directory: Path, before: datetime, limit: int) -> int:
    deleted = 0
    for file in islice(_old_files(directory, before), limit):
        try:
            file.unlink(missing_ok=True)
            deleted += 1
        except OSError as error:
            log.warning("temporary.not_deleted", file=str(file), error=error.strerror)
    if deleted < limit:
        _delete_empty(directory, before)
    return deleted


def _delete_empty(directory: Path, before: datetime) -> None:
    """Deletes directories that have been empty for as long."""
    for parent, _, _ in os.walk(directory, topdown=False):
        if Path(parent) != directory and _is_old(Path(parent), before):
            with suppress(OSError):  # it is not empty
                Path(parent).rmdir()


def _old_files(directory: Path, before: datetime) -> Iterator[Path]:
    """Symbolic links count as files and are not followed."""
    for parent, _, names in os.walk(directory):
        yield from (file for name in names if _is_old(file := Path(parent, name), before))


def _is_old(path: Path, before: datetime) -> bool:
    try:
        return path.lstat().st_mtime < before.timestamp()
    except FileNotFoundError:  # somebody was quicker
        return False
