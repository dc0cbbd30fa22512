"""The headers that all requests to one endpoint have in common, made ready once per version of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ogel.features.webhooks.endpoints.headers import MASK, unseal_headers
from ogel.runtime.egress import Egress, EncodedHeaders
from ogel.runtime.vault import Vault

USER_AGENT = "Ogel-Webhook/1.0"
_ALWAYS = (("content-type", "application/json"), ("user-agent", USER_AGENT))


@dataclass(frozen=True, slots=True)
class PreparedHeaders:
    """`shown` are those of the attempt log, in which the endpoint's own have no values."""

    encoded: EncodedHeaders
    shown: Sequence[tuple[str, str]]


def prepared_headers(
    egress: Egress, vault: Vault, webhook_id: str, sealed: bytes | None, plain: Mapping[str, str]
) -> PreparedHeaders:
    """
    `plain` are those that the version before wrote last, if it did: then they count. Raises Unsealable, or EgressError
    for what is no header.
    """
    own = plain or unseal_headers(vault, webhook_id, sealed)
    return PreparedHeaders(
        egress.encode([*own.items(), *_ALWAYS]), [*((name, MASK) for name in own), *_ALWAYS]
    )
