"""Whose record it is: the user who acts, or the one whom something is done to; also long after the user is gone."""

from __future__ import annotations

from uuid import uuid4

from ogel.features.audit.store import AuditRecord
from ogel.kernel.principal import ANONYMOUS, SYSTEM, Caller, Principal
from ogel.runtime.audit import AuditEntry
from tests.integration.test_audit_chain import Log, in_log

ADA, BOB = str(uuid4()), str(uuid4())


def entry(caller: Principal, resource_type: str, resource_id: str, user_id: str | None = None) -> AuditEntry:
    return AuditEntry(Caller(caller, "req_1"), "thing.change", resource_type, resource_id, {}, user_id)


def test_whose_record_it_is(database_url: str) -> None:
    ada = Principal("user", ADA)
    concerned = [
        (entry(ada, "team", "team_1"), ADA),
        # What a user does about another is the record of the one who does it; the other stands as the resource.
        (entry(ada, "user", BOB), ADA),
        (entry(SYSTEM, "user", BOB), BOB),
        (entry(ANONYMOUS, "session", "some", user_id=BOB), BOB),
        (entry(SYSTEM, "webhook", "wh_1"), None),
    ]

    async def story(log: Log) -> None:
        async with log.database.transaction() as tx:
            await log.store.record_all(tx, [each for each, _ in concerned])
        assert [each.user_id for each in reversed(await listed(log))] == [whose for _, whose in concerned]
        assert len(await listed(log, ADA)) == 2
        assert {each.resource_id for each in await listed(log, BOB)} == {BOB, "some"}

    in_log(database_url, story)


async def listed(log: Log, user_id: str | None = None) -> list[AuditRecord]:
    names = ("actor", "action", "resource_type", "resource_id", "since", "until", "after")
    return await log.service.list({**dict.fromkeys(names), "user_id": user_id, "limit": 100})
