"""The manifest of the audit log."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.features.audit.chain_store import ChainStore
from ogel.features.audit.ends import Ends, end_purpose
from ogel.features.audit.purge import purge_of_audit_logs
from ogel.features.audit.sealing import SEAL, Seal
from ogel.features.audit.service import AuditService
from ogel.features.audit.settings import AuditSettings
from ogel.features.audit.store import AuditStore
from ogel.runtime.core import Core
from ogel.runtime.feature import Feature
from ogel.runtime.http.route import Route
from ogel.runtime.schedule.schedule import Schedule
from ogel.runtime.secrets.sealed import SealedColumn


def build(core: Core, settings: AuditSettings) -> Feature:
    ends, chain = Ends(core.vault), ChainStore()
    service = AuditService(core.database, AuditStore(), chain, ends)

    def routes() -> Sequence[Route]:
        from ogel.features.audit.routes import AuditRoutes

        return AuditRoutes(service).routes()

    return Feature(
        name="audit",
        routes=routes,
        scopes={"audit:read": "read who changed what"},
        jobs=[Seal(core.database, chain, ends).kind()],
        schedules=SCHEDULES,
        purges=[purge_of_audit_logs(chain, ends, settings.retention_days)],
        tables=["audit_chain", "audit_logs"],
        sealed=[SealedColumn("audit_chain", "name", "sealed", owner="name", purpose=end_purpose)],
        settings=settings,
        offers=service,
    )


SCHEDULES = [
    Schedule(
        name=SEAL,
        cron="* * * * *",
        kind=SEAL,
        description="Chains new audit records by their hashes, so that changes of them show.",
    )
]
