"""The manifest of S3 keys, apart from storage's: every process that lets callers in must know who signed a request."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from ogel.features.storage.s3_keys.key import S3, S3_KEYS_READ, S3_KEYS_WRITE, secret_purpose
from ogel.runtime.core import Core
from ogel.runtime.database.database import Queries
from ogel.runtime.feature import Feature
from ogel.runtime.purge import Purge
from ogel.runtime.secrets.sealed import SealedColumn

if TYPE_CHECKING:
    from ogel.features.storage.s3.authentication import Authentication
    from ogel.features.storage.s3_keys.service import S3KeyService
    from ogel.kernel.principal import Caller, Principal
    from ogel.runtime.http.credentials import Credential
    from ogel.runtime.http.route import Route

_SQL = Queries.beside(__name__)


class S3Access:
    """What tells who signed a request, built when the first one comes."""

    def __init__(self, core: Core) -> None:
        self._core = core

    @cached_property
    def keys(self) -> S3KeyService:
        from ogel.features.storage.s3_keys.service import S3KeyService
        from ogel.features.storage.s3_keys.store import S3KeyStore
        from ogel.runtime.rates.guesses import Guesses

        core = self._core
        guesses = Guesses(core.limiter)
        return S3KeyService(core.database, S3KeyStore(), core.vault, core.audit, guesses)

    @cached_property
    def authentication(self) -> Authentication:
        from ogel.features.storage.s3.authentication import Authentication

        return Authentication(self.keys, self._authenticate_token)

    async def authenticate(self, credential: Credential, caller: Caller) -> Principal | None:
        return await self.authentication.authenticate(credential, caller)

    def routes(self) -> Sequence[Route]:
        from ogel.features.storage.s3_keys.routes import S3KeyRoutes

        return S3KeyRoutes(self.keys).routes()

    async def _authenticate_token(self, credential: Credential, caller: Caller) -> Principal | None:
        authenticate = self._core.features["accounts"].authenticators.get(credential.kind)
        return None if authenticate is None else await authenticate(credential, caller)


def build(core: Core, _: None) -> Feature:
    access = S3Access(core)
    return Feature(
        name="storage.s3_keys",
        routes=access.routes,
        scopes={
            S3_KEYS_READ: "look at S3 keys, not at their secrets",
            S3_KEYS_WRITE: "make and revoke S3 keys that may no more than one's own",
        },
        authenticators={S3: access.authenticate},
        purges=[
            Purge.of_queries(
                "s3_keys",
                "S3 keys that were revoked",
                core.retention_days,
                count=_SQL.count_ended,
                batch=_SQL.purge_ended,
            )
        ],
        sealed=[SealedColumn("s3_keys", "id", "secret", owner="id", purpose=secret_purpose)],
        offers=access,
    )
