"""A letter as the bytes of an Internet message (RFC 5322, MIME)."""

from __future__ import annotations

from email import headerregistry
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8

from ogel.runtime.mail.address import Address
from ogel.runtime.mail.letter import Letter

# RFC 3834: holidays and sickness are not announced to programs.
_DEFAULT_HEADERS = {"Auto-Submitted": "auto-generated"}


def needs_smtputf8(letter: Letter) -> bool:
    addresses = (letter.sender, letter.to, letter.reply_to)
    return not all(each.is_ascii for each in addresses if each is not None)


def mime_bytes(letter: Letter) -> bytes:
    """Pure ASCII, unless an address is not. The same letter gives the same bytes."""
    policy = (SMTPUTF8 if needs_smtputf8(letter) else SMTP).clone(cte_type="7bit")
    message = EmailMessage(policy)
    message["From"] = _header(letter.sender)
    message["To"] = _header(letter.to)
    if letter.reply_to is not None:
        message["Reply-To"] = _header(letter.reply_to)
    message["Subject"] = letter.subject
    message["Date"] = letter.written_at
    if letter.text is not None:
        message.set_content(letter.text)
    if letter.html is not None:
        if letter.text is None:
            message.set_content(letter.html, subtype="html")
        else:
            message.add_alternative(letter.html, subtype="html")
            message.set_boundary(f"={letter.id}=")
    return _plain_headers(letter) + message.as_bytes()


def _plain_headers(letter: Letter) -> bytes:
    """Written as they are: the email package would encode what is longer than a line, and break ids and links."""
    given = {name.lower() for name in letter.headers}
    defaults = {name: value for name, value in _DEFAULT_HEADERS.items() if name.lower() not in given}
    headers = {"Message-ID": letter.message_id, **defaults, **letter.headers}
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode("ascii")


def _header(address: Address) -> headerregistry.Address:
    return headerregistry.Address(address.name, address.local, address.domain)
