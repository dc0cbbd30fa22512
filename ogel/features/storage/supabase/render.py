"""`GET /render/image/…`: pictures of another size or format."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from msgspec import Struct

from ogel.features.storage.images.service import ImageService
from ogel.features.storage.images.wanted import Wanted
from ogel.features.storage.objects.reading import Found, ObjectReader
from ogel.features.storage.serving import Wish, headers_of
from ogel.features.storage.signing.service import UrlSigner
from ogel.features.storage.supabase.downloads import saved_as
from ogel.runtime.http.access import Access
from ogel.runtime.http.ranges import Validators
from ogel.runtime.http.route import Call, Content, Reply, Route


class RenderQuery(Wanted, frozen=True):
    """`download` is the name to save it under; empty: its own. `v` is as of objects."""

    download: str | None = None
    v: str | None = None


class SignedQuery(Struct, frozen=True):
    """What is to become of the picture stands in the token."""

    token: str
    download: str | None = None


class RenderRoutes:
    def __init__(self, reader: ObjectReader, signer: UrlSigner, images: ImageService) -> None:
        self._reader = reader
        self._signer = signer
        self._images = images

    async def authenticated(self, call: Call[Any, RenderQuery]) -> Reply:
        found = await self._reader.open(call.principal, call.path["bucket"], call.path["name"])
        return await self._rendered(call, found, public=False)

    async def public(self, call: Call[Any, RenderQuery]) -> Reply:
        found = await self._reader.open_public(call.path["bucket"], call.path["name"])
        return await self._rendered(call, found, public=True)

    async def signed(self, call: Call[Any, SignedQuery]) -> Reply:
        query, bucket, name = call.query, call.path["bucket"], call.path["name"]
        found, until, wanted = await self._signer.open_rendition(query.token, bucket, name)
        return await rendered(
            self._images, call, found, wanted, Wish(download=saved_as(query.download), until=until)
        )

    async def _rendered(self, call: Call[Any, RenderQuery], found: Found, *, public: bool) -> Reply:
        query = call.query
        wish = Wish(public=public, download=saved_as(query.download), version=query.v)
        return await rendered(self._images, call, found, query, wish)

    def routes(self) -> Sequence[Route]:
        at = "/render/image/{}/{{bucket}}/{{name:path}}"
        return [
            Route(
                "GET",
                at.format("authenticated"),
                self.authenticated,
                access=Access("known", None, "read"),
                summary="A picture, smaller or in another format",
                query=RenderQuery,
                returns=Content,
            ),
            Route(
                "GET",
                at.format("public"),
                self.public,
                access=Access("open", None, "read"),
                summary="A picture of a public bucket, smaller or in another format",
                query=RenderQuery,
                returns=Content,
            ),
            Route(
                "GET",
                at.format("sign"),
                self.signed,
                access=Access("open", None, "read"),
                summary="A picture, smaller or in another format, by a signed URL",
                query=SignedQuery,
                returns=Content,
            ),
        ]


async def rendered(
    images: ImageService, call: Call[Any, Any], found: Found, wanted: Wanted, wish: Wish
) -> Reply:
    """A picture as an answer."""
    client = call.caller.ip or call.principal.id
    made = await images.render(client, found, wanted.for_client(call.header("accept")))
    content = Content(
        made.blob.size,
        made.media_type,
        partial(images.read, made),
        Validators(made.etag, found.object.updated_at),
    )
    vary = {} if wanted.format else {"vary": "Accept"}
    return Reply(content, headers={**headers_of(found.object, wish), **vary})
