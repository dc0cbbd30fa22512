"""Servers that take mail: an SMTP server, and one that speaks Resend's API as its documentation has it."""

from __future__ import annotations

import json
import socketserver
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from types import TracebackType
from typing import Any, BinaryIO

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from fast_mail_parser import PyMail, parse_email

from ogel.runtime.mail.address import parse_address
from ogel.runtime.mail.letter import Letter
from tests.support.process import free_port
from tests.support.receiver import Answer, Receiver, Request

USER, PASSWORD = "postmaster", "p@ss/word"
LETTER = Letter(
    id="msg_01",
    sender=parse_address("Ogel <ogel@example.com>"),
    to=parse_address("ann@example.com"),
    reply_to=None,
    subject="S",
    text="T",
    html=None,
    headers={},
    written_at=datetime(2026, 1, 2, tzinfo=UTC),
)


@dataclass(frozen=True)
class Mail:
    """A message as a server got it, and its envelope."""

    sender: str
    recipient: str
    raw: bytes
    options: Sequence[str]

    @property
    def read(self) -> PyMail:
        """By a reader that is not Python's own, whose older versions add spaces to long names."""
        return parse_email(self.raw)

    @property
    def parsed(self) -> EmailMessage:
        parsed = message_from_bytes(self.raw, policy=default)
        assert isinstance(parsed, EmailMessage)
        return parsed


@dataclass
class MailServer:
    """
    `answers` are given to RCPT, `data_answers` to the end of the data, by recipient, one after the other; without any
    left, mail is taken. `hold` is called before mail is answered for, when the server has it.
    """

    port: int = field(default_factory=free_port)
    needs_login: bool = False
    tls: ssl.SSLContext | None = None
    starttls: ssl.SSLContext | None = None
    answers: dict[str, list[str]] = field(default_factory=dict)
    data_answers: dict[str, list[str]] = field(default_factory=dict)
    hold: Callable[[Mail], None] = lambda _: None

    def __post_init__(self) -> None:
        self.mails: list[Mail] = []
        self._changed = threading.Condition()

    def __enter__(self) -> MailServer:
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            ssl_context=self.tls,
            tls_context=self.starttls,
            require_starttls=self.starttls is not None,
            authenticator=_login,
            auth_require_tls=False,
            enable_SMTPUTF8=True,
        )
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._controller.stop()

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.needs_login and not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if left := self.answers.get(address):
            return left.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert envelope.mail_from and isinstance(envelope.content, bytes)
        [recipient] = envelope.rcpt_tos
        if left := self.data_answers.get(recipient):
            return left.pop(0)
        mail = Mail(envelope.mail_from, recipient, envelope.content, envelope.mail_options)
        with self._changed:
            self.mails.append(mail)
            self._changed.notify_all()
        self.hold(mail)
        return "250 2.0.0 queued as 4711"

    def to(self, recipient: str) -> list[Mail]:
        return [mail for mail in list(self.mails) if mail.recipient == recipient]

    def wait_for(self, recipient: str, count: int = 1, seconds: float = 15.0) -> list[Mail]:
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.to(recipient)) >= count, seconds):
                raise AssertionError(f"waited {seconds} s for {count} mails to {recipient}")
        return self.to(recipient)


class ScriptedSmtp:
    """
    Says what it is told where a real server would agree: by command, and at `connect` and the end of `DATA`. It heard
    `said`. Serves one connection after the other.
    """

    def __init__(self, answers: Mapping[str, str]) -> None:
        self._answers = answers
        self.said: list[str] = []

    def __enter__(self) -> ScriptedSmtp:
        script = self

        class Conversation(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                script._converse(self.rfile, self.wfile)

        self._server = socketserver.TCPServer(("127.0.0.1", 0), Conversation)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.05])
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _converse(self, lines: BinaryIO, out: BinaryIO) -> None:
        def answer(stage: str, agreed: str) -> None:
            out.write(f"{self._answers.get(stage, agreed)}\r\n".encode())

        answer("connect", "220 mx.example.com")
        for line in lines:
            self.said.append(line.decode().rstrip("\r\n"))
            match command := self.said[-1].partition(" ")[0].upper():
                case "EHLO":
                    answer("EHLO", "250-mx.example.com\r\n250 AUTH PLAIN")
                case "HELO":
                    answer("EHLO", "250 mx.example.com")
                case "AUTH":
                    answer("AUTH", "235 2.7.0 Welcome")
                case "DATA":
                    out.write(b"354 Go on\r\n")
                    while lines.readline() not in (b".\r\n", b""):
                        pass
                    answer("DATA", "250 2.0.0 queued as 4711")
                case "QUIT":
                    answer("QUIT", "221 Bye")
                    return
                case _:
                    answer(command, "250 OK")


def _login(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    known = isinstance(data, LoginPassword) and (data.login, data.password) == (
        USER.encode(),
        PASSWORD.encode(),
    )
    return AuthResult(success=known, handled=False)


class Resend:
    """
    POST /emails. Wrong requests are answered as Resend answers them; right ones by `answers` of their recipient, one
    after the other, then taken. A key it has seen is answered as before, and refused with another body.
    """

    KEY = "re_test_0123456789"

    def __init__(self) -> None:
        self.server = Receiver(self._answer)
        self.answers: dict[str, list[Answer]] = {}
        self._known: dict[str, tuple[bytes, str]] = {}

    def __enter__(self) -> Resend:
        self.server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.__exit__(kind, error, trace)

    @property
    def url(self) -> str:
        return self.server.url("")

    def to(self, recipient: str) -> list[Request]:
        return [
            each
            for each in list(self.server.requests)
            if recipient in json.loads(each.body).get("to", [""])[0]
        ]

    def _answer(self, request: Request) -> Answer:
        headers, body = request.headers, json.loads(request.body)
        if request.path != "/emails":
            return refusal(404, "not_found", "The requested endpoint does not exist")
        if headers.get("authorization") != f"Bearer {self.KEY}":
            return refusal(403, "invalid_api_key", "API key is invalid")
        if not headers.get("user-agent"):
            return Answer(403, b"error code: 1010")
        unknown = body.keys() - {"from", "to", "subject", "text", "html", "reply_to", "headers"}
        if unknown or not {"from", "to", "subject"} <= body.keys() or not body.keys() & {"text", "html"}:
            return refusal(422, "missing_required_field", f"unknown: {sorted(unknown)}")
        for recipient, answers in self.answers.items():
            if recipient in body["to"][0] and answers:
                return answers.pop(0)
        key = headers["idempotency-key"]
        known_body, id = self._known.setdefault(key, (request.body, f"49a3999c-{len(self._known):04}"))
        if known_body != request.body:
            return refusal(
                409, "invalid_idempotent_request", "Same idempotency key used with a different request"
            )
        return Answer(200, json.dumps({"id": id}).encode())


def refusal(status: int, name: str, message: str, **headers: str) -> Answer:
    body = {"statusCode": status, "name": name, "message": message}
    return Answer(status, json.dumps(body).encode(), {k.replace("_", "-"): v for k, v in headers.items()})
