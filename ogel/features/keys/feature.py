"""The manifest of API keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ogel.features.keys.service import KeyService
from ogel.features.keys.settings import KeysSettings
from ogel.features.keys.store import KeyStore
from ogel.features.keys.uses import KeyUses
from ogel.features.keys.watch import KeyWatch
from ogel.runtime.core import Core
from ogel.runtime.database.database import Queries
from ogel.runtime.feature import BackgroundService, Feature
from ogel.runtime.http.credentials import KEY, by_key
from ogel.runtime.purge import Purge
from ogel.runtime.rates.guesses import Guesses

if TYPE_CHECKING:
    from ogel.runtime.http.route import Route

_SQL = Queries.beside(__name__)


def build(core: Core, settings: KeysSettings) -> Feature:
    def scopes() -> list[str]:
        return [scope for feature in core.features.all() for scope in feature.scopes]

    uses, watch = KeyUses(core.database, core.audit), KeyWatch(core.database, KeyStore())
    broadcast = core.broadcast if core.has_redis else None
    guesses = Guesses(core.limiter)
    service = KeyService(
        core.database, KeyStore(), core.audit, uses, watch, broadcast, core.admin_key, scopes, guesses
    )
    return Feature(
        name="keys",
        routes=lambda: _routes(service),
        scopes={
            "keys:read": "look at keys, not at their secrets",
            "keys:write": "make, rotate and revoke keys that may no more than one's own",
        },
        authenticators={KEY: by_key(service.authenticate)},
        watches={"key": watch},
        services=[BackgroundService("key uses", uses.run), BackgroundService("key watch", watch.run)],
        purges=[
            Purge.of_queries(
                "api_keys",
                "API keys that were revoked or expired",
                settings.retention_days,
                count=_SQL.count_ended,
                batch=_SQL.purge_ended,
            )
        ],
        tables=["api_keys"],
        settings=settings,
        offers=service,
    )


def _routes(service: KeyService) -> Sequence[Route]:
    from ogel.features.keys.routes import KeyRoutes

    return KeyRoutes(service).routes()
