"""An SMTP server that takes mail for others to deliver (RFC 5321, RFC 6409)."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from ogel.runtime.mail.letter import Bounced, Letter, Receipt
from ogel.runtime.providers import ProviderError

if TYPE_CHECKING:
    from aiosmtplib import SMTP

Security = Literal["tls", "starttls", "plain"]

_SCHEMES: dict[str, tuple[Security, int]] = {
    "smtps": ("tls", 465),
    "smtp": ("starttls", 587),
    "smtp+plain": ("plain", 25),
}
_GOODBYE_SECONDS = 2.0
_SHOWN_CHARACTERS = 300
# RFC 3463: the class, and what it is about.
_ENHANCED = re.compile(r"\s*([245])\.(\d{1,3})\.(\d{1,3})\b")
_HOST_NAME = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


@dataclass(frozen=True, slots=True)
class SmtpServer:
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
    """A connection for each letter. `tls` is for a private certificate authority; certificates are always verified."""

    def __init__(self, server: SmtpServer, timeout_seconds: float, tls: ssl.SSLContext | None = None) -> None:
        self._server = server
        self._timeout_seconds = timeout_seconds
        self._tls = tls

    async def send(self, letter: Letter) -> Receipt:
        async with self._connection() as client:
            return await _hand_over(client, letter)

    async def check(self) -> None:
        """Whether the server lets us in; it is told nothing. Raises ProviderError."""
        async with self._connection() as client:
            await _leave(client)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[SMTP]:
        from aiosmtplib import SMTPException  # and with it asyncio's TLS, for who sends mail only

        client = self._client()
        try:
            await self._connect(client)
            yield client
        except ssl.SSLError as error:
            raise ProviderError(f"smtp: {error.reason or error}", ours=True) from error
        except (SMTPException, OSError) as error:
            raise ProviderError(f"smtp: {_shown(str(error) or type(error).__name__)}") from error
        finally:
            client.close()

    def _client(self) -> SMTP:
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
            local_hostname=_own_name(),  # the default asks a name server, and waits for it
        )

    async def _connect(self, client: SMTP) -> None:
        from aiosmtplib import SMTPAuthenticationError, SMTPConnectError, SMTPException

        try:
            await client.connect()
        except SMTPAuthenticationError as error:
            raise _answered(error.code, error.message, ours=error.code >= 500) from error
        except SMTPConnectError as error:
            if isinstance(error.__cause__, ssl.SSLError):
                raise error.__cause__ from error
            raise
        except SMTPException as error:
            # No TLS or no AUTH where we insist on it.
            if "not supported" in str(error).lower():
                raise ProviderError(f"smtp: {_shown(str(error))}", ours=True) from error
            raise


async def _hand_over(client: SMTP, letter: Letter) -> Receipt:
    from aiosmtplib import SMTPDataError, SMTPNotSupported, SMTPRecipientsRefused, SMTPSenderRefused

    from ogel.runtime.mail.mime import mime_bytes, needs_smtputf8

    options = ["SMTPUTF8", "BODY=8BITMIME"] if needs_smtputf8(letter) else []
    try:
        _, said = await client.sendmail(
            letter.sender.spec, letter.to.spec, mime_bytes(letter), mail_options=options
        )
    except SMTPRecipientsRefused as error:
        refused = error.recipients[0]
        raise _recipient_refused(refused.code, refused.message) from error
    except SMTPSenderRefused as error:
        raise _sender_refused(error.code, error.message) from error
    except SMTPDataError as error:
        raise _answered(error.code, error.message, final=error.code >= 500) from error
    except SMTPNotSupported as error:
        raise ProviderError("smtp: the server takes ASCII addresses only", deferred=True) from error
    # It is theirs now: what goes wrong from here on is no reason to send it again.
    await _leave(client)
    return Receipt(_shown(said))


async def _leave(client: SMTP) -> None:
    with suppress(Exception):
        async with asyncio.timeout(_GOODBYE_SECONDS):
            await client.quit()


def _recipient_refused(code: int, said: str) -> ProviderError:
    """
    Only what is about the mailbox is a bounce. A policy (X.7.Y: no relaying for us, a list of blocked senders) says
    nothing of the address: taking it for one would suppress everybody whom a wrong setting keeps us from.
    """
    about = _ENHANCED.match(said)
    if code < 500:
        return _answered(code, said, deferred=code != 421)
    if about is None:
        bounced, policy = code in (550, 551, 553), False
    else:
        bounced, policy = about[2] == "1" or (about[2], about[3]) == ("2", "1"), about[2] == "7"
    if bounced:
        return Bounced(f"smtp answered {code} ({_shown(said)})")
    return _answered(code, said, final=not policy, deferred=policy)


def _sender_refused(code: int, said: str) -> ProviderError:
    if code == 530:
        return _answered(code, said, ours=True)
    if code == 552:
        return _answered(code, said, final=True)  # too large
    # Of this sender; another one, or another provider, may do.
    return _answered(code, said, deferred=code >= 500)


def _answered(
    code: int, said: str, *, final: bool = False, ours: bool = False, deferred: bool = False
) -> ProviderError:
    return ProviderError(f"smtp answered {code} ({_shown(said)})", final=final, ours=ours, deferred=deferred)


def _shown(said: str) -> str:
    """On one line, and not all of it."""
    return " ".join("".join(c if c.isprintable() else " " for c in said).split())[:_SHOWN_CHARACTERS]


def _own_name() -> str:
    name = socket.gethostname()
    return name if _HOST_NAME.fullmatch(name) else "localhost"
