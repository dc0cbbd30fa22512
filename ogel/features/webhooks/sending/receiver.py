"""Everything that requests to one endpoint share, prepared once per version of the endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import structlog

from ogel.features.webhooks.endpoints.endpoint import EndpointKind, Payload
from ogel.features.webhooks.secrets.compatibility import Compatibility, appwrite_headers
from ogel.features.webhooks.secrets.keyring import KeyRing, SigningKeys
from ogel.features.webhooks.sending.headers import LEAST_SECRET, prepared_headers, secrets_of_url
from ogel.kernel.event import Event
from ogel.runtime.database.database import Queries, Transaction
from ogel.runtime.egress import Egress, EgressError, EncodedHeaders
from ogel.runtime.secrets.scrub import NOTHING_SECRET, Scrubber
from ogel.runtime.secrets.vault import Unsealable, Vault

log = structlog.get_logger(__name__)
_SQL = Queries.beside(__name__)

MOST_KEPT = 4096


class Receiver(msgspec.Struct, frozen=True, gc=False):
    """
    `shown` begins the JSON list of the request's headers for the log; `name` is what `compatibility` shows. `scrub`:
    what a receiver answers may repeat what we sent, and is read by more people than may know that.
    """

    webhook_id: str
    version: int
    url: str
    timeout_seconds: float
    payload: Payload
    compatibility: Compatibility | None
    name: str
    keys: KeyRing
    headers: EncodedHeaders
    shown: bytes
    scrub: Scrubber = NOTHING_SECRET
    kind: EndpointKind = "url"

    def signed(self, event: Event, body: bytes, at: float) -> Sequence[tuple[str, str]]:
        """The headers that are this attempt's alone. `at`: Unix time."""
        headers = [
            ("webhook-id", event.id),
            ("webhook-timestamp", str(int(at))),
            ("webhook-signature", self.keys.sign(at, event.id, body)),
        ]
        if self.compatibility == "appwrite":
            secret = self.keys.shared_secret(at)
            headers += appwrite_headers(self.webhook_id, self.name, self.url, event.type, body, secret)
        return headers

    def log_of(self, headers: Sequence[tuple[str, str]]) -> msgspec.Raw:
        return msgspec.Raw(self.shown + b"," + msgspec.json.encode(headers)[1:])


class Receivers:
    """Caches the receivers of endpoints; the least recently used are dropped."""

    def __init__(self, keys: SigningKeys, egress: Egress, vault: Vault, most: int = MOST_KEPT) -> None:
        self._keys = keys
        self._egress = egress
        self._vault = vault
        self._most = most
        self._kept: dict[str, Receiver] = {}

    async def of(self, tx: Transaction, versions: Mapping[str, int]) -> Mapping[str, Receiver]:
        """
        By endpoint; costs no statement while all versions are at hand. One whose secrets or headers cannot be unsealed
        is left out, and read again next time.
        """
        found: dict[str, Receiver] = {}
        for id, version in versions.items():
            kept = self._kept.pop(id, None)
            if kept is not None and kept.version == version:
                found[id] = self._kept[id] = kept  # now the one used last
        missing = [id for id in versions if id not in found]
        if missing:
            found.update(await self._read(tx, missing))
        while len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]
        return found

    async def _read(self, tx: Transaction, ids: Sequence[str]) -> Mapping[str, Receiver]:
        rows = await tx.dicts(_SQL.receivers, {"ids": list(ids)})
        rings = await self._keys.of(tx, [row["id"] for row in rows])
        found = {}
        for row in rows:
            ring = rings.get(row["id"])
            receiver = self._prepared(row, ring) if ring is not None else None
            if receiver is not None:
                found[receiver.webhook_id] = self._kept[receiver.webhook_id] = receiver
        return found

    def _prepared(self, row: Mapping[str, Any], ring: KeyRing) -> Receiver | None:
        try:
            headers = prepared_headers(
                self._egress, self._vault, row["id"], row["sealed_headers"], row["headers"]
            )
        except Unsealable as error:
            log.error(
                "webhook.headers_unreadable",
                webhook=row["id"],
                error=f"they were {error}",
                otherwise=f"send its headers again: PATCH /api/webhooks/{row['id']}",
            )
            return None
        except EgressError as error:
            log.error("webhook.headers_unusable", webhook=row["id"], error=str(error))
            return None
        return Receiver(
            webhook_id=row["id"],
            version=row["version"],
            url=row["url"],
            timeout_seconds=row["timeout_seconds"],
            payload=row["payload"],
            compatibility=row["compatibility"],
            name=row["description"],
            keys=ring,
            headers=headers.encoded,
            shown=msgspec.json.encode(headers.shown)[:-1],
            scrub=Scrubber([*headers.secrets, *secrets_of_url(row["url"])], LEAST_SECRET),
            kind=row["kind"],
        )
