"""Mail that waited while the rules changed: on real tables, with no provider that could be asked."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ogel.features.mail.feature import MailFeature
from ogel.features.mail.jobs import QUEUE
from ogel.features.mail.message import MailMessage, NewMail
from ogel.features.mail.settings import MailSettings
from ogel.kernel.principal import SYSTEM, Caller
from ogel.runtime.delivery.breaker import Breaker
from ogel.runtime.delivery.providers import Guarded, Providers
from ogel.runtime.jobs.job import job_id_of
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.mail.letter import Letter, MailProvider, Receipt
from tests.support.core import a_core
from tests.support.jobs import World
from tests.support.jobs import world as job_world

CALLER = Caller(SYSTEM, "req_test")


def a_feature(
    jobs: World, queue: JobQueue, *providers: Guarded[MailProvider], **settings: Any
) -> MailFeature:
    core = a_core(jobs.database, queue)
    chosen = MailSettings(retry_delays=(60.0,), timeout_seconds=1.0, **settings)
    return MailFeature(core, chosen, Providers("mail", providers, core.provider_metrics))


class Mailbox:
    """A provider that keeps what it gets."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []

    async def send(self, letter: Letter) -> Receipt:
        self.letters.append(letter)
        return Receipt()


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


def test_mail_whose_job_is_discarded_has_failed_and_says_so(database_url: str) -> None:
    async def story() -> tuple[MailMessage, list[tuple[Any, ...]]]:
        async with job_world(database_url) as jobs:
            queue = JobQueue()
            feature = a_feature(jobs, queue)
            queue.know([feature.send.kind()])
            mail = NewMail(from_="ogel@example.com", to="ann@example.com", subject="s", text="t")
            [message] = (await feature.messages.send(CALLER, mail)).items
            async with jobs.database.transaction() as tx:
                assert await queue.discard(tx, job_id_of(message.id))
                events = await tx.tuples(b"SELECT type, data FROM events")
            return await feature.messages.get(message.id), events

    message, [(type, data)] = asyncio.run(story())
    assert (message.status, message.error) == ("failed", "its job was discarded")
    assert type == "mail.failed"
    assert data == {
        "id": message.id,
        "to": "ann@example.com",
        "template": None,
        "provider": None,
        "provider_id": None,
        "error": "its job was discarded",
    }


def test_words_that_open_an_account_are_sealed_until_they_are_sent_and_then_forgotten(
    database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "de").mkdir()
    (tmp_path / "de/magic_link.subject.jinja").write_text("{{ code }} ist dein Code")
    (tmp_path / "de/magic_link.txt.jinja").write_text("{{ url }} oder {{ code }}")
    mailbox = Mailbox()

    async def story() -> tuple[MailMessage, list[Any], list[Any]]:
        async with job_world(database_url) as jobs:
            queue = JobQueue()
            feature = a_feature(
                jobs, queue, Guarded("box", mailbox, Breaker()), templates=tmp_path, sender="ogel@example.com"
            )
            jobs.kinds = [feature.send.kind()]
            queue.know(jobs.kinds)
            async with jobs.database.transaction() as tx:
                id = await feature.messages.queue(
                    tx,
                    CALLER,
                    "ann@example.com",
                    "magic_link",
                    ["fr", "de-AT", "en"],
                    {"app": "Shop"},
                    {"url": "https://a.example/verify?token=abc", "code": "123456"},
                    3600,
                )
            shown = await feature.messages.get(id)
            columns = b"SELECT subject, body_text, body_html, sealed FROM mail_requests"
            async with jobs.database.autocommit() as tx:
                before = await tx.tuples(columns)
            async with jobs.running(queue=QUEUE):
                await jobs.until(lambda rows: rows == [])
            async with jobs.database.autocommit() as tx:
                return shown, before, await tx.tuples(columns)

    shown, [(subject, text, html, sealed)], after = asyncio.run(story())
    assert (shown.subject, shown.locale, subject) == ("… ist dein Code", "de", "… ist dein Code")
    assert (text, html) == (None, None)
    assert b"123456" not in sealed and b"abc" not in sealed
    [letter] = mailbox.letters
    assert (letter.subject, letter.text) == (
        "123456 ist dein Code",
        "https://a.example/verify?token=abc oder 123456",
    )
    assert after == [("… ist dein Code", None, None, None)]


def test_words_that_cannot_be_unsealed_wait_for_their_secret(database_url: str) -> None:
    mailbox = Mailbox()

    async def story() -> list[Any]:
        async with job_world(database_url) as jobs:
            queue = JobQueue()
            feature = a_feature(jobs, queue, Guarded("box", mailbox, Breaker()), sender="ogel@example.com")
            jobs.kinds = [feature.send.kind()]
            queue.know(jobs.kinds)
            async with jobs.database.transaction() as tx:
                secrets = {"url": "https://a.example", "code": "123456"}
                await feature.messages.queue(
                    tx, CALLER, "ann@example.com", "reauthentication", [], {"app": "Shop"}, secrets, 3600
                )
                await tx.execute(b"UPDATE mail_requests SET sealed = '\\x02' || sealed")
            async with jobs.running(queue=QUEUE):
                return await jobs.until(lambda rows: rows[0]["last_error"] is not None)

    [row] = asyncio.run(story())
    assert (row["status"], mailbox.letters) == ("pending", [])
    assert row["last_error"] == "its words cannot be read: see `ogel secrets status`"


def test_a_link_that_is_worth_nothing_any_more_is_not_sent(database_url: str) -> None:
    mailbox = Mailbox()

    async def story() -> MailMessage:
        async with job_world(database_url) as jobs:
            queue = JobQueue()
            feature = a_feature(jobs, queue, Guarded("box", mailbox, Breaker()), sender="ogel@example.com")
            jobs.kinds = [feature.send.kind()]
            queue.know(jobs.kinds)
            async with jobs.database.transaction() as tx:
                secrets = {"code": "123456"}
                id = await feature.messages.queue(
                    tx, CALLER, "ann@example.com", "reauthentication", [], {"app": "Shop"}, secrets, 60
                )
                await tx.execute(b"UPDATE mail_messages SET queued_at = queued_at - interval '61 seconds'")
            async with jobs.running(queue=QUEUE):
                await jobs.until(lambda rows: rows[0]["status"] == "dead")
            return await feature.messages.get(id)

    message = asyncio.run(story())
    assert (message.status, message.error, mailbox.letters) == (
        "failed",
        "it was not sent within 60 s",
        [],
    )
