"""The rules of an endpoint's secrets: created with it, rotated with an overlap, and shown only once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from ogel.features.webhooks.secrets.secret import Secret, SecretText, Signing, secret_purpose
from ogel.features.webhooks.secrets.store import SealedSecret, SecretStore
from ogel.kernel.errors import Conflict, Invalid, NotFound
from ogel.kernel.ids import new_id
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.secrets.vault import Unsealable, Vault

MOST_ALIVE = 10
DEFAULT_OVERLAP_SECONDS = 86_400
_MOST_OVERLAP_SECONDS = 7 * 86_400

OverlapSeconds = Annotated[
    int,
    Meta(
        ge=0, le=_MOST_OVERLAP_SECONDS, description="How long former secrets sign at most; 0 ends them now."
    ),
]


class SecretRotation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    A secret is generated when none is given. It signs as `signing` or its prefix says, otherwise as the one before it.
    """

    secret: SecretText | None = None
    signing: Signing | None = None
    overlap_seconds: OverlapSeconds = DEFAULT_OVERLAP_SECONDS


class Rotated(Struct, frozen=True):
    """The only answer that shows the secret. `id` is the endpoint's; a receiver of `v1a` needs `public_key` only."""

    id: str
    secret_id: str
    signing: Signing
    secret: str
    public_key: str | None
    old_secrets_until: datetime | None


class SigningSecret(Struct, frozen=True):
    """
    `expires_at` is null for the newest one. `hint` and `public_key` are null for one that was sealed under an unknown
    OGEL_SECRET.
    """

    id: str
    signing: Signing
    created_at: datetime
    expires_at: datetime | None
    hint: str | None
    public_key: str | None


class SecretService:
    def __init__(self, database: Database, store: SecretStore, vault: Vault, audit: AuditTrail) -> None:
        self._database = database
        self._store = store
        self._vault = vault
        self._audit = audit

    async def add(self, tx: Transaction, webhook_id: str, secret: Secret) -> str:
        """The new secret is the only one without an end, so all earlier ones must have one. Returns its id."""
        id = new_id("sec")
        sealed = self._vault.seal(secret.material, secret_purpose(webhook_id))
        await self._store.insert(
            tx, {"id": id, "webhook_id": webhook_id, "signing": secret.signing, "sealed": sealed}
        )
        return id

    async def replace(self, tx: Transaction, webhook_id: str, secret: Secret) -> None:
        """Takes effect at once, without an overlap."""
        await self._store.next_version(tx, webhook_id)
        await self._store.end_others(tx, webhook_id, overlap_seconds=0)
        await self.add(tx, webhook_id, secret)

    async def rotate(self, caller: Caller, webhook_id: str, wanted: SecretRotation) -> Rotated:
        async with self._database.transaction() as tx:
            endpoint = await self._store.next_version(tx, webhook_id)
            if endpoint is None:
                raise NotFound(f"No webhook {webhook_id!r}.")
            alive = (await self._store.live(tx, [webhook_id])).get(webhook_id, [])
            secret = self._next_secret(webhook_id, wanted, alive)
            if endpoint["compatibility"] is not None and secret.signing != "v1":
                field = "body.signing" if wanted.signing is not None else "body.secret"
                raise Invalid.field(field, "must stay v1: the endpoint's `compatibility` needs a shared key")
            if wanted.overlap_seconds > 0 and len(alive) >= MOST_ALIVE:
                raise Conflict(
                    f"{MOST_ALIVE} secrets are alive; wait for one to end, or end all by overlap_seconds 0."
                )
            until = await self._store.end_others(tx, webhook_id, wanted.overlap_seconds)
            id = await self.add(tx, webhook_id, secret)
            metadata = {"secret": id, "signing": secret.signing, "overlap_seconds": wanted.overlap_seconds}
            await self._audit.record(tx, caller, "webhook.rotate_secret", "webhook", webhook_id, metadata)
        return Rotated(webhook_id, id, secret.signing, secret.text, secret.public_key, until)

    async def check_shared(self, tx: Transaction, webhook_id: str) -> None:
        """Raises Invalid when the newest secret is none that a receiver could share, as `compatibility` needs it."""
        alive = (await self._store.live(tx, [webhook_id])).get(webhook_id, [])
        if alive and alive[0].signing != "v1":
            raise Invalid.field("body.compatibility", "needs a shared key: rotate to a secret for v1 first")

    async def list(self, webhook_id: str) -> Sequence[SigningSecret]:
        """The valid secrets, newest first."""
        async with self._database.autocommit() as tx:
            alive = (await self._store.live(tx, [webhook_id])).get(webhook_id)
        if alive is None:  # an endpoint always has one
            raise NotFound(f"No webhook {webhook_id!r}.")
        return [self._shown(webhook_id, sealed) for sealed in alive]

    def _next_secret(self, webhook_id: str, wanted: SecretRotation, alive: Sequence[SealedSecret]) -> Secret:
        if wanted.secret is None:
            return Secret.new(wanted.signing or (alive[0].signing if alive else "v1"))
        secret = given_secret(wanted.secret, wanted.signing)
        if any(self._unsealed(webhook_id, sealed) == secret for sealed in alive):
            raise Invalid.field("body.secret", "signs for this endpoint already")
        return secret

    def _shown(self, webhook_id: str, sealed: SealedSecret) -> SigningSecret:
        secret = self._unsealed(webhook_id, sealed)
        return SigningSecret(
            sealed.id,
            sealed.signing,
            sealed.created_at,
            sealed.expires_at,
            hint=secret.hint if secret else None,
            public_key=secret.public_key if secret else None,
        )

    def _unsealed(self, webhook_id: str, sealed: SealedSecret) -> Secret | None:
        try:
            return Secret(sealed.signing, self._vault.unseal(sealed.sealed, secret_purpose(webhook_id)))
        except Unsealable:
            return None


def given_secret(text: str, signing: Signing | None) -> Secret:
    """Parses a secret supplied by the caller. Raises Invalid."""
    try:
        return Secret.parse(text, signing)
    except ValueError as error:
        raise Invalid.field("body.secret", str(error)) from None
