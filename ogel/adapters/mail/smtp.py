"""Sends mail through an SMTP server (RFC 5321, RFC 6409)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from ogel.adapters.mail.smtp_answers import Stage, refusal, shown
from ogel.runtime.delivery.providers import ProviderError
from ogel.runtime.mail.letter import Letter, Receipt
from ogel.runtime.secrets.scrub import Scrubber

if TYPE_CHECKING:
    from aiosmtplib import SMTP, SMTPException

Security = Literal["tls", "starttls", "plain"]

_SCHEMES: dict[str, tuple[Security, int]] = {
    "smtps": ("tls", 465),
    "smtp": ("starttls", 587),
    "smtp+plain": ("plain", 25),
}
_GOODBYE_SECONDS = 2.0


class SmtpServer(Struct, frozen=True):
    """`tls`: from the first byte; `starttls`: insisted on; `plain`: none, for a server on this machine."""

    host: str
    port: int
    security: Security
    user: str | None
    password: str | None

    @classmethod
    def of(cls, url: str) -> SmtpServer:
        """`smtps://` is tls, `smtp://` starttls, `smtp+plain://` plain. The setting has been checked."""
        parts = urlsplit(url)
        security, port = _SCHEMES[parts.scheme]
        user = unquote(parts.username) if parts.username else None
        password = unquote(parts.password or "") if user is not None else None
        return cls(parts.hostname or "", parts.port or port, security, user, password)


class SmtpProvider:
    """
    A connection for each letter. `own_name` is what EHLO says; without one it is the domain of the letter's sender.
    `tls` is for a private certificate authority; certificates are always verified.
    """

    def __init__(
        self,
        server: SmtpServer,
        timeout_seconds: float,
        own_name: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._server = server
        self._own_name = own_name
        self._scrub = Scrubber([server.password])
        self._timeout_seconds = timeout_seconds
        self._tls = tls

    async def send(self, letter: Letter) -> Receipt:
        async with self._connection(letter.sender.domain) as client:
            return await self._hand_over(client, letter)

    async def check(self) -> None:
        """Whether the server lets us in by our name; it is told nothing else. Raises ProviderError."""
        async with self._connection("localhost.localdomain") as client:
            await client.noop()  # it says EHLO where nothing before did
            await _leave(client)

    @asynccontextmanager
    async def _connection(self, domain: str) -> AsyncIterator[SMTP]:
        # And with it asyncio's TLS, for who sends mail only.
        from aiosmtplib import SMTPConnectError, SMTPException

        client = self._client(domain)
        try:
            await client.connect()
            yield client
        except ssl.SSLError as error:
            raise _untrusted(error) from error
        except SMTPException as error:
            if isinstance(error, SMTPConnectError) and isinstance(error.__cause__, ssl.SSLError):
                raise _untrusted(error.__cause__) from error
            raise _judged(error, self._scrub) from error
        except OSError as error:
            raise ProviderError(f"smtp: {_words_of(error, self._scrub)}") from error
        finally:
            client.close()

    def _client(self, domain: str) -> SMTP:
        from aiosmtplib import SMTP

        server = self._server
        return SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            tls_context=self._tls,
            timeout=self._timeout_seconds,
            # A container's own name is a short one, and no name to anybody else (RFC 5321 §4.1.1.1).
            local_hostname=self._own_name or domain,
        )

    async def _hand_over(self, client: SMTP, letter: Letter) -> Receipt:
        from aiosmtplib import SMTPNotSupported

        from ogel.runtime.mail.mime import mime_bytes, needs_smtputf8

        options = ["SMTPUTF8", "BODY=8BITMIME"] if needs_smtputf8(letter) else []
        try:
            _, said = await client.sendmail(
                letter.sender.spec, letter.to.spec, mime_bytes(letter), mail_options=options
            )
        except SMTPNotSupported as error:
            raise ProviderError("smtp: the server takes ASCII addresses only", deferred=True) from error
        # The server has accepted the letter; later errors must not cause a second attempt.
        await _leave(client)
        return Receipt(shown(self._scrub(said)))


async def _leave(client: SMTP) -> None:
    with suppress(Exception):
        async with asyncio.timeout(_GOODBYE_SECONDS):
            await client.quit()


def _untrusted(error: ssl.SSLError) -> ProviderError:
    return ProviderError(f"smtp: {error.reason or error}", ours=True)


def _judged(error: SMTPException, scrub: Scrubber) -> ProviderError:
    """Turns the server's reply, or its absence, into an error, depending on the stage."""
    from aiosmtplib import (
        SMTPAuthenticationError,
        SMTPConnectResponseError,
        SMTPDataError,
        SMTPHeloError,
        SMTPRecipientRefused,
        SMTPRecipientsRefused,
        SMTPResponseException,
        SMTPSenderRefused,
    )

    if isinstance(error, SMTPRecipientsRefused):
        error = error.recipients[0]
    if not isinstance(error, SMTPResponseException):
        # No TLS or no AUTH where we insist on it, or none that we speak.
        ours = any(words in str(error) for words in ("not supported", "No suitable authentication"))
        return ProviderError(f"smtp: {_words_of(error, scrub)}", ours=ours)
    stages: dict[type[SMTPException], Stage] = {
        SMTPConnectResponseError: "connect",
        SMTPHeloError: "EHLO",
        SMTPAuthenticationError: "AUTH",
        SMTPSenderRefused: "MAIL",
        SMTPRecipientRefused: "RCPT",
        SMTPDataError: "DATA",
    }
    if not 400 <= error.code < 600:
        return ProviderError(f"smtp answered something else than SMTP ({shown(scrub(error.message))})")
    return refusal(stages.get(type(error), "STARTTLS"), error.code, error.message, scrub)


def _words_of(error: Exception, scrub: Scrubber) -> str:
    return shown(scrub(str(error))) or type(error).__name__
