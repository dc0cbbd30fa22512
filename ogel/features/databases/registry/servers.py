"""Registered databases as servers with URLs, for whoever looks at where servers are."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from ogel.features.databases.registry.store import RegistryStore, SealedTarget
from ogel.features.databases.registry.targets import Targets
from ogel.runtime.database.database import Database
from ogel.runtime.network.server import NamedServer
from ogel.runtime.secrets.vault import Unsealable

MOST = 200


class Servers:
    """Implements RegisteredServers."""

    def __init__(self, database: Database, store: RegistryStore, targets: Targets) -> None:
        self._database = database
        self._store = store
        self._targets = targets

    async def named(self) -> Sequence[NamedServer]:
        """See RegisteredServers."""
        async with self._database.autocommit() as tx:
            found = await self._store.named_targets(tx, MOST)
        return [NamedServer(f"database {name}", target.type, self._url(target)) for name, target in found]

    def _url(self, target: SealedTarget) -> str:
        try:
            password = self._targets.password(target)
        except Unsealable:
            password = None
        login = (
            ""
            if target.username is None and password is None
            else f"{_quoted(target.username)}:{_quoted(password)}@"
        )
        host = f"[{target.host}]" if ":" in target.host else target.host
        place = f"{login}{host}:{target.port}/{_quoted(target.database)}"
        secure, verified = target.ssl_mode != "disable", target.ssl_mode == "verify-full"
        if target.type == "postgresql":
            return f"postgresql://{place}?sslmode={target.ssl_mode}"
        if target.type == "mongodb":
            tls = f"&tls={str(secure).lower()}" + (
                "&tlsAllowInvalidCertificates=true" if secure and not verified else ""
            )
            source = _quoted(target.auth_source or "admin")
            return f"mongodb://{place}?directConnection=true&authSource={source}{tls}"
        words = "required" if verified else "none"
        options = f"?ssl_cert_reqs={words}&ssl_check_hostname={str(verified).lower()}" if secure else ""
        return f"redis{'s' if secure else ''}://{place}{options}"


def _quoted(text: str | None) -> str:
    return quote(text or "", safe="")
