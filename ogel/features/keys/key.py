"""A key as callers make and read it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from ogel.kernel.text import LINE_PATTERN
from ogel.runtime.http.route import Timestamp

MOST_NETWORKS = 50
DEFAULT_OVERLAP_SECONDS = 86_400
_MOST_OVERLAP_SECONDS = 30 * 86_400

# secret       of a program that others cannot look into.
# publishable  may be read by anyone, in a web page or an app: it holds no scope, and says which suite is meant, not who
#              asks.
KeyKind = Literal["secret", "publishable"]

Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=LINE_PATTERN)]
Scopes = Annotated[
    list[Annotated[str, Meta(max_length=64)]],
    Meta(min_length=1, max_length=100, description="`events:write`, `webhooks:*`, `*`."),
]
Networks = Annotated[
    list[Annotated[str, Meta(max_length=64)]],
    Meta(
        min_length=1,
        max_length=MOST_NETWORKS,
        description="CIDRs it may be used from: `203.0.113.0/24`, `2001:db8::/32`. Without: from anywhere.",
    ),
]


class NewKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    A key gets only what its maker has. `networks` and `expires_at` that are left out are taken from the maker. A secret
    key needs scopes; a publishable one, which may stand in web pages and apps, has none.
    """

    name: Name
    kind: KeyKind = "secret"
    scopes: Scopes | None = None
    networks: Networks | None = None
    expires_at: Timestamp | None = None


class KeyRotation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`expires_at` is that of the new key; without it the new key expires when the old one would have."""

    overlap_seconds: Annotated[
        int, Meta(ge=0, le=_MOST_OVERLAP_SECONDS, description="How long the old key works on; 0 ends it now.")
    ] = DEFAULT_OVERLAP_SECONDS
    expires_at: Timestamp | None = None


class ApiKey(Struct, frozen=True, kw_only=True):
    """
    `hint` is the start of the key: enough to recognise it, too little to use it. `networks` is null when the key may
    be used from everywhere.
    """

    id: str
    name: str
    kind: KeyKind
    hint: str
    scopes: list[str]
    networks: list[str] | None
    expires_at: datetime | None
    revoked_at: datetime | None
    created_at: datetime
    made_by: str | None
    replaced_by: str | None


class MadeKey(ApiKey, frozen=True, kw_only=True):
    """The only response that contains the key itself."""

    key: str
