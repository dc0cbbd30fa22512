"""Chunks: a part of a table's rows, compressed and sealed, stored as one object."""

from __future__ import annotations

import asyncio
import hashlib
import zlib

from ogel.features.backups.manifest import BackupLocation, Chunk, Manifest, Unusable
from ogel.runtime.objects import ObjectMissing, read
from ogel.runtime.secrets.vault import Unsealable, Vault

# Size of the rows of a chunk before compression; the row that passes it is the last one. A dump holds about three
# times as much in memory.
CHUNK_BYTES = 4 * 1024 * 1024
# Higher levels take twice the time and save only 5 %.
_LEVEL = 3
_GZIP = 16 + zlib.MAX_WBITS


async def pack(vault: Vault, backup_id: str, key: str, rows: bytes) -> bytes:
    def packed() -> bytes:
        compressor = zlib.compressobj(_LEVEL, wbits=_GZIP)
        return vault.seal(compressor.compress(rows) + compressor.flush(), _purpose(backup_id, key))

    return await asyncio.to_thread(packed)


async def check_chunks(place: BackupLocation, manifest: Manifest) -> None:
    """Raises Unusable naming the first chunk that is missing or has another length."""
    sizes = {entry.key: entry.size async for entry in place.store.list(place.key(f"{manifest.run}/"))}
    for table in manifest.tables:
        for chunk in table.chunks:
            size = sizes.get(place.key(chunk.key))
            if size is None:
                raise Unusable(f"{place.key(chunk.key)} is missing.")
            if size != chunk.size:
                raise Unusable(
                    f"{place.key(chunk.key)} has {size} bytes, and the manifest says {chunk.size}."
                )


async def unpack(vault: Vault, backup_id: str, place: BackupLocation, chunk: Chunk) -> bytes:
    """Returns the rows of a chunk once they match the manifest. Raises Unusable."""
    try:
        sealed = await read(place.store, place.key(chunk.key), chunk.size)
    except ObjectMissing:
        raise Unusable(f"{place.key(chunk.key)} is missing.") from None
    except ValueError as error:
        raise Unusable(f"{error}: it was changed.") from None

    def unpacked() -> bytes:
        if hashlib.sha256(sealed).hexdigest() != chunk.sha256:
            raise Unusable(
                f"{place.key(chunk.key)} is damaged: it does not have the SHA-256 it was written with."
            )
        try:
            packed = vault.open(sealed, _purpose(backup_id, chunk.key))
            rows = zlib.decompressobj(_GZIP).decompress(packed, chunk.bytes + 1)
        except Unsealable as error:
            raise Unusable(f"{place.key(chunk.key)} cannot be opened: it was {error}.") from None
        except zlib.error as error:
            raise Unusable(f"{place.key(chunk.key)} cannot be opened: {error}.") from None
        if (len(rows), rows.count(b"\n")) != (chunk.bytes, chunk.rows):
            raise Unusable(f"{place.key(chunk.key)} has not the rows that the manifest says.")
        return rows

    return await asyncio.to_thread(unpacked)


def _purpose(backup_id: str, key: str) -> str:
    """Binds the sealed chunk to its key, so that it cannot be opened in another place."""
    return f"backup {backup_id} {key}"
