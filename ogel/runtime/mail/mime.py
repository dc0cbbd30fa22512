"""Encodes a letter as an Internet message (RFC 5322, MIME)."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from ogel.runtime.mail.headers import address_header, plain_header, text_header
from ogel.runtime.mail.letter import Letter

# RFC 3834: tells autoresponders not to answer.
_DEFAULT_HEADERS = {"Auto-Submitted": "auto-generated"}
_POLICY = SMTP.clone(cte_type="7bit")


def needs_smtputf8(letter: Letter) -> bool:
    addresses = (letter.sender, letter.to, letter.reply_to)
    return not all(each.is_ascii for each in addresses if each is not None)


def mime_bytes(letter: Letter) -> bytes:
    """Returns ASCII, unless an address needs UTF-8. The same letter always gives the same bytes."""
    return "".join(_headers(letter)).encode() + _body(letter).as_bytes()


def _headers(letter: Letter) -> Iterator[str]:
    given = {name.lower() for name in letter.headers}
    defaults = {name: value for name, value in _DEFAULT_HEADERS.items() if name.lower() not in given}
    for name, value in {"Message-ID": letter.message_id, **defaults, **letter.headers}.items():
        yield plain_header(name, value)
    yield address_header("From", letter.sender)
    yield address_header("To", letter.to)
    if letter.reply_to is not None:
        yield address_header("Reply-To", letter.reply_to)
    yield text_header("Subject", letter.subject)
    yield plain_header("Date", format_datetime(letter.written_at))


def _body(letter: Letter) -> EmailMessage:
    """Builds a body with the headers that describe its encoding, and no others."""
    message = EmailMessage(_POLICY)
    if letter.text is not None:
        message.set_content(letter.text)
    if letter.html is not None:
        if letter.text is None:
            message.set_content(letter.html, subtype="html")
        else:
            message.add_alternative(letter.html, subtype="html")
            message.set_boundary(f"={letter.id}=")
    return message
