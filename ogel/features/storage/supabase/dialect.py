"""The dialect of Supabase Storage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogel.features.storage.supabase import state
from ogel.features.storage.supabase.buckets import BucketRoutes
from ogel.features.storage.supabase.downloads import DownloadRoutes
from ogel.features.storage.supabase.errors import render_error
from ogel.features.storage.supabase.info import InfoRoutes
from ogel.features.storage.supabase.listing import ListRoutes
from ogel.features.storage.supabase.moving import MoveRoutes
from ogel.features.storage.supabase.render import RenderRoutes
from ogel.features.storage.supabase.signed import SignedRoutes
from ogel.features.storage.supabase.uploads import UploadRoutes
from ogel.runtime.http.cors import Cors
from ogel.runtime.http.credentials import apikey_header, authorization
from ogel.runtime.http.dialect import Dialect

if TYPE_CHECKING:
    from ogel.features.storage.services import Storage

PREFIX = "/storage/v1"
# What pages may read of answers.
_EXPOSED = ("Accept-Ranges", "Content-Disposition", "Content-Range", "ETag", "Repr-Digest", "Retry-After")


def supabase(storage: Storage) -> Dialect:
    return Dialect(
        "storage",
        PREFIX,
        render_error=render_error,
        credentials=(authorization, apikey_header),
        strict_parameters=False,
        cors=Cors(exposed=_EXPOSED),
        routes=[
            *state.routes(),
            *BucketRoutes(storage.buckets).routes(),
            *UploadRoutes(storage.writer, storage.settings.most_bytes).routes(),
            *DownloadRoutes(storage.reader, storage.serving).routes(),
            *RenderRoutes(storage.reader, storage.signer, storage.images).routes(),
            *SignedRoutes(
                storage.signer, storage.serving, storage.writer, storage.settings.most_bytes
            ).routes(),
            *InfoRoutes(storage.reader).routes(),
            *ListRoutes(storage.lister).routes(),
            *MoveRoutes(storage.mover, storage.copier, storage.remover).routes(),
        ],
    )
