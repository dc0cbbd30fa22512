"""Bodies of requests that are signed: as streams, or whole when they are small."""

from __future__ import annotations

from typing import Any

from ogel.features.storage.errors import too_large
from ogel.features.storage.s3.authentication import Authentication
from ogel.features.storage.s3.credentials import signing_of
from ogel.features.storage.s3.payload import ChunkSigning, Payload
from ogel.runtime.http.route import Call
from ogel.runtime.http.streamed import BodyStream


class Bodies:
    def __init__(self, authentication: Authentication) -> None:
        self._authentication = authentication

    async def payload(self, call: Call[BodyStream, Any]) -> Payload:
        """A signed URL may say in its query which content it takes."""
        signing, headers = None, call.headers
        if (signed := signing_of(call.headers)) is not None:
            key = await self._authentication.signing_key(signed, call.caller)
            signing = ChunkSigning(key, signed.amz_date, signed.scope, signed.signature)
        elif hashed := dict(reversed(call.query)).get("X-Amz-Content-Sha256"):
            headers = {**headers, b"x-amz-content-sha256": hashed.encode("latin-1", "replace")}
        return Payload(call.body, headers, signing)

    async def read(self, call: Call[BodyStream, Any], most: int) -> bytes:
        """Raises StorageError EntityTooLarge, and what a payload raises."""
        pieces, size = [], 0
        async for piece in await self.payload(call):
            size += len(piece)
            if size > most:
                raise too_large(most)
            pieces.append(piece)
        return b"".join(pieces)
