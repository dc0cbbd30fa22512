"""Mail that waited while the rules changed: on real tables, with no provider that could be asked."""

from __future__ import annotations

import asyncio

import pytest

from ogel.features.mail.feature import MailFeature
from ogel.features.mail.jobs import QUEUE
from ogel.features.mail.message import MailMessage, NewMail
from ogel.features.mail.settings import MailSettings
from ogel.kernel.principal import SYSTEM, Caller
from ogel.runtime.delivery.providers import Providers
from ogel.runtime.jobs.store import JobQueue
from tests.support.core import a_core
from tests.support.jobs import World
from tests.support.jobs import world as job_world

CALLER = Caller(SYSTEM, "req_test")


def a_feature(jobs: World, queue: JobQueue) -> MailFeature:
    core = a_core(jobs.database, queue)
    settings = MailSettings(retry_delays=(60.0,), timeout_seconds=1.0)
    return MailFeature(core, settings, Providers("mail", [], core.provider_metrics))


@pytest.mark.parametrize(
    ("column", "address", "error"),
    [
        ("recipient", "ann@127.1", "the address of its recipient names an IP address where a domain belongs"),
        ("sender", "=?utf-8?q?a?=@example.com", "the address of its sender has no usable part before the @"),
        ("reply_to", "ann", "the address of its reply_to is no address such as name@example.com"),
    ],
)
def test_an_address_that_is_not_taken_any_more_ends_its_message(
    database_url: str, column: str, address: str, error: str
) -> None:
    async def story() -> MailMessage:
        async with job_world(database_url) as jobs:
            queue = JobQueue()
            feature = a_feature(jobs, queue)
            jobs.kinds = [feature.send.kind()]
            queue.know(jobs.kinds)
            mail = NewMail(
                from_="ogel@example.com",
                to="ann@example.com",
                reply_to="b@example.com",
                subject="s",
                text="t",
            )
            [message] = (await feature.messages.send(CALLER, mail)).items
            table = "mail_messages" if column == "recipient" else "mail_requests"
            async with jobs.database.transaction() as tx:
                await tx.execute(f"UPDATE {table} SET {column} = %(address)s".encode(), {"address": address})
            async with jobs.running(queue=QUEUE):
                await jobs.until(lambda rows: [row["status"] for row in rows] == ["dead"])
            return await feature.messages.get(message.id)

    message = asyncio.run(story())
    assert (message.status, message.attempts, message.error) == ("failed", 0, error)
