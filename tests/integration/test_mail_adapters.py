"""What Resend and SMTP servers answer, and what Ogel makes of it."""

from __future__ import annotations

import asyncio
import json
import socket
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from msgspec.structs import replace

from ogel.adapters.egress.outgoing import OutgoingClient
from ogel.adapters.mail.outbox import MOST_FILES, OutboxProvider
from ogel.adapters.mail.resend import ResendProvider
from ogel.adapters.mail.smtp import SmtpProvider, SmtpServer
from ogel.runtime.delivery.providers import ProviderError
from ogel.runtime.mail.address import parse_address
from ogel.runtime.mail.letter import Bounced, Letter, MailProvider, Receipt
from tests.support.certificates import make_certificate
from tests.support.egress_tls import serving, trusting
from tests.support.mail import LETTER, PASSWORD, USER, MailServer, Resend, ScriptedSmtp, refusal
from tests.support.process import free_port
from tests.support.receiver import Answer


def send(provider: MailProvider) -> Receipt | ProviderError:
    try:
        return asyncio.run(provider.send(LETTER))
    except ProviderError as error:
        return error


def send_to_resend(url: str, key: str = Resend.KEY, letter: Letter = LETTER) -> Receipt | ProviderError:
    async def sending() -> Receipt | ProviderError:
        outgoing = OutgoingClient()
        try:
            return await ResendProvider(outgoing, key, url, 1.0).send(letter)
        except ProviderError as error:
            return error
        finally:
            await outgoing.close()

    return asyncio.run(sending())


def kind(outcome: Receipt | ProviderError) -> str:
    if isinstance(outcome, Receipt):
        return "taken"
    names = ("final", "ours", "deferred")
    marks = [name for name in names if getattr(outcome, name)]
    assert len(marks) <= 1
    return "bounced" if isinstance(outcome, Bounced) else marks[0] if marks else "failed"


@pytest.mark.parametrize(
    ("answer", "expected", "after"),
    [
        (Answer(200, b'{"id":"49a3"}'), "taken", None),
        (Answer(200, b"<html>Log in to this network</html>"), "failed", None),
        (Answer(200, b'{"id":7}'), "failed", None),
        (refusal(400, "validation_error", "no"), "final", None),
        (refusal(422, "missing_required_field", "no"), "final", None),
        (refusal(401, "restricted_api_key", "no"), "ours", None),
        (refusal(403, "invalid_api_key", "no"), "ours", None),
        (refusal(403, "validation_error", "The domain is not verified"), "deferred", None),
        (refusal(422, "invalid_from_address", "no"), "deferred", None),
        (refusal(400, "restricted_api_key", "no"), "ours", None),
        (refusal(422, "invalid_access", "no"), "ours", None),
        (refusal(429, "monthly_quota_exceeded", "no", retry_after="7"), "ours", None),
        (refusal(403, "daily_quota_exceeded", "no"), "ours", None),
        (refusal(404, "not_found", "no"), "ours", None),
        (refusal(409, "concurrent_idempotent_requests", "no"), "deferred", None),
        (refusal(409, "invalid_idempotent_request", "no"), "final", None),
        (refusal(429, "rate_limit_exceeded", "no", retry_after="7"), "failed", 7),
        (refusal(429, "rate_limit_exceeded", "no", retry_after="soon"), "failed", 1),
        (refusal(429, "daily_quota_exceeded", "no"), "ours", None),
        (refusal(500, "application_error", "no"), "failed", None),
        (Answer(502, b"\xff" * 100_000), "failed", None),
        (Answer(302, b"", {"location": "http://127.0.0.1/"}), "failed", None),
        (Answer(200, b"{}", after_seconds=5), "failed", None),
    ],
)
def test_answers_of_resend(answer: Answer, expected: str, after: float | None) -> None:
    with Resend() as resend:
        resend.answers["ann@example.com"] = [answer]
        outcome = send_to_resend(resend.url)
        assert len(resend.to("ann@example.com")) == 1
    assert kind(outcome) == expected
    assert getattr(outcome, "retry_after_seconds", None) == after
    assert Resend.KEY not in str(outcome)


def test_resend_gets_text_as_it_is_and_names_that_can_be_read_in_one_way_only() -> None:
    lookalike, name = "=?utf-8?q?a=0AX-Injected:_1?=", 'Ann, "the  boss" =?utf-8?q?a=2C?='
    letter = replace(
        LETTER, subject=lookalike, sender=replace(LETTER.sender, name=name), reply_to=LETTER.sender
    )
    with Resend() as resend:
        assert kind(send_to_resend(resend.url, letter=letter)) == "taken"
        [request] = resend.to("ann@example.com")
    body = json.loads(request.body)
    assert body["subject"] == lookalike
    assert body["from"] == '"Ann, \\"the  boss\\" =?utf-8?q?a=2C?=" <ogel@example.com>'
    assert parse_address(body["from"]) == letter.sender
    assert body["reply_to"] == "Ogel <ogel@example.com>"


def test_resend_is_away_or_the_key_is_wrong() -> None:
    assert kind(send_to_resend(f"http://127.0.0.1:{free_port()}")) == "failed"
    with Resend() as resend:
        outcome = send_to_resend(f"{resend.url}/", key="re_wrong")
        assert kind(outcome) == "ours"
        assert str(outcome) == "resend answered 403 (invalid_api_key: API key is invalid)"
        # The same letter twice is one mail.
        assert send_to_resend(resend.url) == send_to_resend(resend.url)


@pytest.mark.parametrize(
    ("at", "answer", "expected"),
    [
        ("RCPT", "550 5.1.1 No such user", "bounced"),
        ("RCPT", "550 No such user", "bounced"),
        ("RCPT", "550 5.2.1 Mailbox disabled", "bounced"),
        ("RCPT", "552 5.2.2 Mailbox full", "deferred"),
        ("RCPT", "550 5.7.1 Relaying denied", "failed"),
        ("RCPT", "550 SMTP AUTH is required for message submission on port 587", "failed"),
        ("RCPT", "550 5.1.8 Sender address rejected", "deferred"),
        ("RCPT", "554 5.7.1 Blocked: see https://example.com", "failed"),
        ("RCPT", "550-5.1.1 The account that you tried to reach\r\n550 5.1.1 does not exist", "bounced"),
        ("RCPT", "504 5.5.2 <vm>: Helo command rejected: need fully-qualified hostname", "failed"),
        ("RCPT", "450 4.7.1 Greylisted", "deferred"),
        ("RCPT", "452 4.5.3 Too many", "deferred"),
        ("RCPT", "421 4.3.2 Closing", "failed"),
        ("DATA", "554 5.6.0 Looks like spam", "final"),
        ("DATA", "451 4.3.0 Try later", "failed"),
        ("DATA", "550 5.4.5 Daily user sending limit exceeded", "ours"),
        ("DATA", "550 5.1.1 No such user", "bounced"),
        ("DATA", "554 5.7.1 Not from there", "failed"),
        ("MAIL", "550 5.1.1 No such user", "deferred"),
        ("EHLO", "504 need fully-qualified hostname", "ours"),
        ("EHLO", "421 4.3.2 Closing", "failed"),
        ("connect", "554 5.7.1 Blocked", "failed"),
        ("connect", "550 5.1.1 No such user", "failed"),
        ("connect", "421 Too many connections", "failed"),
        ("connect", "HTTP/1.1 400 Bad Request", "failed"),
        ("RCPT", "250-what\r\nis this", "failed"),
    ],
)
def test_answers_of_a_mail_server(at: str, answer: str, expected: str) -> None:
    with ScriptedSmtp({at: answer}) as server:
        outcome = send(SmtpProvider(SmtpServer.of(f"smtp+plain://127.0.0.1:{server.port}"), 5.0))
    assert kind(outcome) == expected
    assert answer.splitlines()[-1][4:].split(" ", 1)[-1] in str(outcome)


@pytest.mark.parametrize("at", ["AUTH", "MAIL", "RCPT", "DATA"])
def test_an_answer_that_repeats_the_password(at: str) -> None:
    said = b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
    for quoted in (
        said,
        said.lower(),
        quote(said, safe=""),
        PASSWORD,
        quote(PASSWORD, safe=""),
        PASSWORD.encode().hex(),
    ):
        with ScriptedSmtp({at: f"550-5.5.2 what is\r\n550 5.5.2 AUTH PLAIN {quoted}?"}) as server:
            login = f"{USER}:{quote(PASSWORD, safe='')}"
            outcome = send(SmtpProvider(SmtpServer.of(f"smtp+plain://{login}@127.0.0.1:{server.port}"), 5.0))
        assert isinstance(outcome, ProviderError)
        assert "AUTH PLAIN ****" in outcome.message
        assert not any(secret in outcome.message for secret in (quoted, PASSWORD, said[8:]))


@pytest.mark.parametrize("own_name", [None, "mx.example.org", "[192.0.2.1]", "[IPv6:2001:db8::1]"])
@pytest.mark.parametrize("login", ["", f"{USER}:{USER}@"])
def test_ehlo_says_a_name_that_others_know(own_name: str | None, login: str) -> None:
    with ScriptedSmtp({"RCPT": "550 5.1.1 No such user"}) as server:
        send(SmtpProvider(SmtpServer.of(f"smtp+plain://{login}127.0.0.1:{server.port}"), 5.0, own_name))
    assert server.said[0] == f"EHLO {own_name or 'example.com'}"


def test_a_login_and_its_failures() -> None:
    with MailServer(needs_login=True) as server:
        place = f"127.0.0.1:{server.port}"
        right = send(SmtpProvider(SmtpServer.of(f"smtp+plain://{USER}:p%40ss%2Fword@{place}"), 5.0))
        wrong = send(SmtpProvider(SmtpServer.of(f"smtp+plain://{USER}:guess@{place}"), 5.0))
        none = send(SmtpProvider(SmtpServer.of(f"smtp+plain://{place}"), 5.0))
    assert right == Receipt("2.0.0 queued as 4711")
    assert (kind(wrong), kind(none)) == ("ours", "ours")
    assert not any(secret in str(wrong) for secret in ("guess", PASSWORD))


@pytest.mark.parametrize("scheme", ["smtps", "smtp"])
def test_tls_from_the_start_or_later_with_a_certificate_that_is_checked(tmp_path: Path, scheme: str) -> None:
    certificate = make_certificate(tmp_path, "localhost")
    where: dict[str, Any] = {"tls" if scheme == "smtps" else "starttls": serving(certificate)}
    with MailServer(**where) as server:
        address = SmtpServer.of(f"{scheme}://localhost:{server.port}")
        assert kind(send(SmtpProvider(address, 5.0, tls=trusting(certificate)))) == "taken"
        # The system trusts nobody who signs himself.
        assert kind(send(SmtpProvider(address, 5.0))) == "ours"
        assert len(server.mails) == 1


def test_without_tls_nothing_is_sent_where_it_was_asked_for() -> None:
    with MailServer() as server:
        outcome = send(SmtpProvider(SmtpServer.of(f"smtp://{USER}:{USER}@127.0.0.1:{server.port}"), 5.0))
        assert kind(outcome) == "ours"
        assert server.mails == []


def test_a_server_that_is_away_or_is_silent() -> None:
    away = SmtpProvider(SmtpServer.of(f"smtp+plain://127.0.0.1:{free_port()}"), 1.0)
    assert kind(send(away)) == "failed"

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert kind(send(SmtpProvider(SmtpServer.of(f"smtp+plain://127.0.0.1:{port}"), 0.2))) == "failed"


def test_the_outbox_keeps_the_newest(tmp_path: Path) -> None:
    outbox = tmp_path / "outbox"
    outbox.mkdir()
    for n in range(MOST_FILES):
        (outbox / f"msg_00{n:05}.eml").write_bytes(b"old")
    assert send(OutboxProvider(outbox)) == send(OutboxProvider(outbox)) == Receipt("msg_01.eml")
    names = sorted(path.name for path in outbox.iterdir())
    assert (len(names), names[0], names[-1]) == (MOST_FILES, "msg_0000001.eml", "msg_01.eml")
    (tmp_path / "file").write_text("in the way")
    assert kind(send(OutboxProvider(tmp_path / "file"))) == "failed"
