"""The manifest lists what a backup consists of. It is written last: a folder without one is no backup."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from ogel.kernel.errors import Conflict
from ogel.runtime.database.schemas import OWN
from ogel.runtime.objects import ObjectMissing, ObjectStore, one, read
from ogel.runtime.secrets.vault import Unsealable, Vault

# Incremented by changes that readers of the format before would not understand.
FORMAT = 1
FOLDER = "backups/"
MANIFEST = "manifest.json"
MOST_BYTES = 256 * 1024 * 1024

Count = Annotated[int, Meta(ge=0)]


class Unusable(Conflict):
    """The backup cannot be restored, or not into this database. The message says why, in one line."""

    title = "Backup cannot be used"


class Chunk(Struct, frozen=True):
    """
    Part of a table: so many `rows` in COPY's text format, `bytes` long. They are stored as the object `key` in the
    folder of the backup, with `size` and `sha256`.
    """

    key: str
    rows: Count
    bytes: Count
    size: Count
    sha256: str


class TableDump(Struct, frozen=True):
    name: str
    columns: list[str]
    rows: Count
    chunks: list[Chunk]
    schema: str = OWN


class SchemaStep(Struct, frozen=True):
    """A migration that had been applied when the backup was made."""

    version: int
    name: str
    checksum: str


class Manifest(Struct, frozen=True):
    """`tables` stand in the order in which they can be filled: each after those its foreign keys refer to."""

    format: int
    id: str
    run: str
    note: str | None
    ogel: str
    postgres: str
    key_id: str
    taken_at: datetime
    migrations: list[SchemaStep]
    tables: list[TableDump]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)

    @property
    def bytes(self) -> int:
        return sum(chunk.bytes for table in self.tables for chunk in table.chunks)

    @property
    def size(self) -> int:
        return sum(chunk.size for table in self.tables for chunk in table.chunks)


class _Document(Struct, frozen=True):
    """
    `seal` is the SHA-256 of the manifest's bytes, sealed: without the secret nobody can make or change a manifest.
    """

    manifest: msgspec.Raw
    seal: str


class _Beginning(Struct, frozen=True):
    """The fields that every format has."""

    format: int
    key_id: str


class BackupLocation(msgspec.Struct, frozen=True):
    """The store and folder that hold a backup."""

    store: ObjectStore
    folder: str

    def key(self, name: str) -> str:
        return self.folder + name


def place_of(store: ObjectStore, id: str) -> BackupLocation:
    return BackupLocation(store, f"{FOLDER}{id}/")


async def write_manifest(place: BackupLocation, vault: Vault, manifest: Manifest) -> None:
    raw = msgspec.json.encode(manifest)
    seal = vault.seal(hashlib.sha256(raw).digest(), _purpose(manifest.id))
    document = _Document(msgspec.Raw(raw), base64.b64encode(seal).decode())
    await place.store.put(place.key(MANIFEST), one(msgspec.json.encode(document)))


async def read_manifest(place: BackupLocation, vault: Vault) -> Manifest:
    """Raises Unusable when it is missing or changed, has a newer format, or was sealed under another secret."""
    try:
        raw = await read(place.store, place.key(MANIFEST), MOST_BYTES)
    except ObjectMissing:
        raise Unusable(
            f"There is no {place.key(MANIFEST)}: no backup, or one that was never completed."
        ) from None
    except ValueError as error:
        raise Unusable(f"{error}: that is no manifest.") from None
    try:
        document = msgspec.json.decode(raw, type=_Document)
        beginning = msgspec.json.decode(document.manifest, type=_Beginning)
        if beginning.format > FORMAT:
            raise Unusable(
                f"The backup has format {beginning.format}, and this Ogel knows {FORMAT} at most: use a newer one."
            )
        _check_key(vault, beginning.key_id)
        manifest = msgspec.json.decode(document.manifest, type=Manifest)
        digest = vault.open(base64.b64decode(document.seal, validate=True), _purpose(manifest.id))
    except (msgspec.MsgspecError, ValueError, UnicodeDecodeError) as error:
        raise Unusable(f"{place.key(MANIFEST)} is damaged: {error}.") from None
    except Unsealable:
        raise _changed(place) from None
    if digest != hashlib.sha256(document.manifest).digest():
        raise _changed(place)
    return manifest


def check_schema(manifest: Manifest, known: Sequence[SchemaStep]) -> None:
    """Raises Unusable when the backup's schema is newer than this version's, or a different one."""
    checksums = {step.version: step.checksum for step in known}
    for step in manifest.migrations:
        if step.version not in checksums:
            raise Unusable(
                f"The backup has the schema of a newer Ogel ({manifest.ogel}, {step.name}): restore it with that one."
            )
        if checksums[step.version] != step.checksum:
            raise Unusable(
                f"The backup's {step.name} is not the migration of that number here: another Ogel made it."
            )


def _check_key(vault: Vault, key_id: str) -> None:
    known = [id.hex() for id in vault.key_ids]
    if key_id not in known:
        raise Unusable(
            f"The backup was sealed under the key {key_id}, and OGEL_SECRET makes {known[0]}: set OGEL_SECRET to what"
            " it was then, or add that to OGEL_SECRET_OLD."
        )


def _changed(place: BackupLocation) -> Unusable:
    return Unusable(f"{place.key(MANIFEST)} was changed since it was written.")


def _purpose(id: str) -> str:
    return f"backup manifest {id}"
