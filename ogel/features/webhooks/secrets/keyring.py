"""The keys that requests to one endpoint are signed with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import structlog
from msgspec import Struct

from ogel.features.webhooks.secrets.secret import Secret, secret_purpose
from ogel.features.webhooks.secrets.signature import SigningKey, SymmetricKey, signed_content, signing_key
from ogel.features.webhooks.secrets.store import SealedSecret, SecretStore
from ogel.runtime.database.database import Transaction
from ogel.runtime.secrets.vault import Unsealable, Vault

log = structlog.get_logger(__name__)


class LiveKey(Struct, frozen=True):
    """A key and the Unix time until which it signs; infinity for the newest one."""

    key: SigningKey
    ends_at: float = math.inf


class KeyRing:
    """The live keys of one endpoint, newest first. The newest never ends, so there always is one."""

    def __init__(self, keys: Sequence[LiveKey]) -> None:
        self._keep(keys)

    def sign(self, at: float, message_id: str, body: bytes) -> str:
        """The `webhook-signature` header: a signature by every key alive `at` that Unix time, newest first."""
        live = self._alive(at)
        content = signed_content(message_id, int(at), body)
        if len(live) == 1:
            return live[0].key.sign(content)
        return " ".join([each.key.sign(content) for each in live])

    def shared_secret(self, at: float) -> str | None:
        """The newest `v1` secret as it was shown, for sets of headers that know one; None when all are `v1a`."""
        keys = (each.key for each in self._alive(at))
        key = next((key.key for key in keys if isinstance(key, SymmetricKey)), None)
        return None if key is None else Secret("v1", key).text

    def _alive(self, at: float) -> Sequence[LiveKey]:
        if at >= self._next_end:
            self._keep([each for each in self._live if each.ends_at > at])
        return self._live

    def _keep(self, keys: Sequence[LiveKey]) -> None:
        self._live = keys
        self._next_end = min(each.ends_at for each in keys)


class SigningKeys:
    """Reads, unseals and prepares signing keys; Receivers caches them."""

    def __init__(self, store: SecretStore, vault: Vault) -> None:
        self._store = store
        self._vault = vault

    async def of(self, tx: Transaction, webhook_ids: Sequence[str]) -> Mapping[str, KeyRing]:
        """Returns key rings by endpoint, from one statement, without those whose secrets cannot be unsealed."""
        found = {}
        for webhook_id, secrets in (await self._store.live(tx, webhook_ids)).items():
            if (ring := self._prepare(webhook_id, secrets)) is not None:
                found[webhook_id] = ring
        return found

    def _prepare(self, webhook_id: str, secrets: Sequence[SealedSecret]) -> KeyRing | None:
        """Returns None when the newest secret cannot be unsealed; an older one that cannot be is left out."""
        keys = []
        for secret in secrets:
            try:
                keys.append(self._live_key(webhook_id, secret))
            except Unsealable as error:
                log.error(
                    "webhook.secret_unreadable",
                    webhook=webhook_id,
                    row=secret.id,
                    error=f"it was {error}",
                    otherwise=f"give the endpoint a new one: POST /api/webhooks/{webhook_id}/rotate-secret",
                )
                if secret.expires_at is None:
                    return None
        return KeyRing(keys)

    def _live_key(self, webhook_id: str, sealed: SealedSecret) -> LiveKey:
        material = self._vault.unseal(sealed.sealed, secret_purpose(webhook_id))
        ends_at = math.inf if sealed.expires_at is None else sealed.expires_at.timestamp()
        return LiveKey(signing_key(Secret(sealed.signing, material)), ends_at)
