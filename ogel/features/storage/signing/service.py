"""Signs URLs for who may do what they allow, and finds what a signed URL is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import unquote

import msgspec

from ogel.features.storage.errors import StorageError, invalid_signature
from ogel.features.storage.images.wanted import Wanted
from ogel.features.storage.objects.names import checked_name
from ogel.features.storage.objects.reading import Found, ObjectReader
from ogel.features.storage.objects.writing import ObjectWriter
from ogel.features.storage.policy import READ, WRITE, on_behalf, owner_of
from ogel.features.storage.signing.tokens import UrlTokens
from ogel.kernel.principal import SERVICE, SYSTEM, Principal
from ogel.runtime.database.database import Database, Queries

# Of one request for many.
MOST_NAMES = 1000
# A century: a URL that is to be good for ever is made for decades.
MOST_SECONDS = 100 * 365 * 24 * 3600

_SQL = Queries.beside(__name__)


class UrlSigner:
    """`upload_seconds` is how long URLs for uploads are good."""

    def __init__(
        self,
        database: Database,
        reader: ObjectReader,
        writer: ObjectWriter,
        tokens: UrlTokens,
        upload_seconds: int,
    ) -> None:
        self._database = database
        self._reader = reader
        self._writer = writer
        self._tokens = tokens
        self._upload_seconds = upload_seconds

    async def sign_download(
        self, principal: Principal, bucket: str, name: str, seconds: int, **claims: object
    ) -> str:
        """
        Returns a token for what the principal may read. `claims` are told to whoever opens it. Raises StorageError
        InvalidKey, InvalidParameter, NoSuchKey.
        """
        name = checked_name(name)
        _check(seconds)
        await self._reader.find(principal, bucket, name)
        return self._tokens.make("download", bucket, name, seconds, **claims)

    async def sign_rendition(
        self, principal: Principal, bucket: str, name: str, seconds: int, wanted: Wanted
    ) -> str:
        """As `sign_download`, but lets one have only what becomes of the picture."""
        name = checked_name(name)
        _check(seconds)
        await self._reader.find(principal, bucket, name)
        return self._tokens.make("render", bucket, name, seconds, transformations=msgspec.to_builtins(wanted))

    async def sign_downloads(
        self, principal: Principal, bucket: str, names: Sequence[str], seconds: int
    ) -> Mapping[str, str]:
        """Returns a token for each of the names that there is, and that the principal may read."""
        _check(seconds)
        checked = {name: known for name in names if (known := _checked_or_none(name)) is not None}
        async with self._database.transaction() as tx, on_behalf(tx, principal, READ):
            rows = await tx.tuples(_SQL.readable, {"bucket": bucket, "names": list(checked.values())})
        readable = {name for (name,) in rows}
        return {
            name: self._tokens.make("download", bucket, known, seconds)
            for name, known in checked.items()
            if known in readable
        }

    async def open(self, token: str, bucket: str, name: str) -> tuple[Found, datetime]:
        """
        Returns what the token lets one download, and until when. `name` is the one in the URL. Raises StorageError
        InvalidJWT, InvalidSignature, NoSuchKey.
        """
        signed, claims = self._tokens.read(token, "download", bucket)
        _check_same(name, signed)
        return await self._reader.open(SYSTEM, bucket, signed), datetime.fromtimestamp(claims["exp"], UTC)

    async def open_rendition(self, token: str, bucket: str, name: str) -> tuple[Found, datetime, Wanted]:
        """As `open`, for what `sign_rendition` signed, with what it is to become."""
        signed, claims = self._tokens.read(token, "render", bucket)
        _check_same(name, signed)
        wanted = msgspec.convert(claims["transformations"], Wanted)
        found = await self._reader.open(SYSTEM, bucket, signed)
        return found, datetime.fromtimestamp(claims["exp"], UTC), wanted

    async def sign_upload(self, principal: Principal, bucket: str, name: str, *, upsert: bool) -> str:
        """
        Returns a token for an upload that the principal may do now. Without `upsert` it makes an object, and so is of
        use only once. Raises what ObjectWriter.target raises.
        """
        name = checked_name(name)
        async with self._database.transaction() as tx:
            await self._writer.target(tx, principal, bucket, name, None, upsert=upsert)
        owner = {} if (id := owner_of(principal)) is None else {"owner": id}
        return self._tokens.make("upload", bucket, name, self._upload_seconds, **owner, upsert=upsert)

    def uploader(self, token: str, bucket: str, name: str) -> tuple[Principal, bool]:
        """
        Returns as whom an upload to that name is done, and whether it may replace an object. The owner of what is
        stored is whoever signed. Raises StorageError InvalidJWT, InvalidSignature.
        """
        signed, claims = self._tokens.read(token, "upload", bucket)
        _check_same(name, signed)
        owner = claims.get("owner")
        told = {} if owner is None else {"owner": str(owner)}
        principal = Principal("key", "signed-url", frozenset({WRITE}), role=SERVICE, claims=told)
        return principal, claims.get("upsert") is True


def _checked_or_none(name: str) -> str | None:
    try:
        return checked_name(name)
    except StorageError:
        return None


def _check(seconds: int) -> None:
    if not 1 <= seconds <= MOST_SECONDS:
        raise StorageError(400, "InvalidParameter", "Invalid Parameter expiresIn")


def _check_same(name: str, signed: str) -> None:
    """
    Whether a path names what was signed, also when it was escaped twice: the clients of Supabase escape URLs that they
    are given, in which a question mark is escaped already.
    """
    if signed not in (checked_name(name), unquote(name)):
        raise invalid_signature("Invalid signature")
