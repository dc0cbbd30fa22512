"""The manifest of the audit log."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.features.audit.chain_store import ChainStore
from ogel.features.audit.ends import Ends, end_purpose
from ogel.features.audit.purge import purge_of_audit_logs
from ogel.features.audit.sealing import SEAL, Seal
from ogel.features.audit.service import AuditService
from ogel.features.audit.store import AuditStore
from ogel.runtime.database.database import Database
from ogel.runtime.feature import Feature
from ogel.runtime.http.route import Route
from ogel.runtime.schedule.schedule import Schedule
from ogel.runtime.secrets.sealed import SealedColumn
from ogel.runtime.secrets.vault import Vault


class AuditFeature:
    """`store` is the trail that every feature writes to."""

    def __init__(self, database: Database, store: AuditStore, vault: Vault, retention_days: float) -> None:
        ends, chain = Ends(vault), ChainStore()
        self._seal = Seal(database, chain, ends)
        self._purge = purge_of_audit_logs(chain, ends, retention_days)
        self.service = AuditService(database, store, chain, ends)

    def feature(self) -> Feature:
        return Feature(
            name="audit",
            routes=self._routes,
            jobs=[self._seal.kind()],
            schedules=[
                Schedule(
                    name=SEAL,
                    cron="* * * * *",
                    kind=SEAL,
                    description="Chains new audit records by their hashes, so that changes of them show.",
                )
            ],
            sealed=[SealedColumn("audit_chain", "name", "sealed", owner="name", purpose=end_purpose)],
            purges=[self._purge],
        )

    def _routes(self) -> Sequence[Route]:
        from ogel.features.audit.routes import AuditRoutes

        return AuditRoutes(self.service).routes()
