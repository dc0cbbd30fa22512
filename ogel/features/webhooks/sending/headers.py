"""The headers that all requests to one endpoint share, prepared once per version of the endpoint."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct

from ogel.features.webhooks.endpoints.headers import unseal_headers
from ogel.runtime.egress import Egress, EncodedHeaders
from ogel.runtime.secrets.scrub import MASK
from ogel.runtime.secrets.vault import Vault

USER_AGENT = "Ogel-Webhook/1.0"
# A shorter value may occur in any answer by chance, so it is not treated as a secret.
LEAST_SECRET = 8
_ALWAYS = (("content-type", "application/json"), ("user-agent", USER_AGENT))


class PreparedHeaders(Struct, frozen=True):
    """
    `shown` are those of the attempt log, in which the endpoint's own have no values; `secrets` are these values, which
    an answer may repeat.
    """

    encoded: EncodedHeaders
    shown: Sequence[tuple[str, str]]
    secrets: Sequence[str]


def prepared_headers(
    egress: Egress, vault: Vault, webhook_id: str, sealed: bytes | None, plain: Mapping[str, str]
) -> PreparedHeaders:
    """
    `plain` are those that the version before wrote last, if it did: then they count. Raises Unsealable, or EgressError
    for what is no header.
    """
    own = plain or unseal_headers(vault, webhook_id, sealed)
    return PreparedHeaders(
        egress.encode([*own.items(), *_ALWAYS]),
        [*((name, MASK) for name in own), *_ALWAYS],
        secrets_among(own.values()),
    )


def secrets_among(values: Iterable[str]) -> Sequence[str]:
    """Of `Bearer abc…`, the whole and the token alone; of `Basic …`, the password too (RFC 7617)."""
    return [part for value in values for part in (value, value.rpartition(" ")[2], _password(value))]


def secrets_of_url(url: str) -> Sequence[str]:
    """The query of a receiver's URL often contains a token."""
    query = urlsplit(url).query
    return [query, *(value for _, value in parse_qsl(query))]


def _password(value: str) -> str:
    scheme, _, credentials = value.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(credentials).decode().partition(":")[2]
    except ValueError:
        return ""
