"""Turns a request for mail into what is stored: validated addresses and headers, and the subject and bodies."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from ogel.features.mail.message import MAX_CONTENT_BYTES, MAX_DATA_BYTES, NewMail
from ogel.features.mail.templating import Rendered, Templates
from ogel.kernel.errors import FieldError, Invalid, TooLarge
from ogel.runtime.mail.address import Address, InvalidAddress, parse_address

# The standard headers that callers may set, beside their own `X-` headers; Ogel sets all others.
_ALLOWED = re.compile(
    r"(?i)x-[a-z0-9-]{1,70}|list-(unsubscribe|unsubscribe-post|id|help)|in-reply-to|references|auto-submitted|"
    r"precedence|importance|priority|feedback-id",
    re.ASCII,
)
# Together with the header's name it fits the 998 characters of a line (RFC 5322 §2.1.1).
_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,898}[\x21-\x7e])?")
# An encoded word (RFC 2047): mail programs would show the decoded text, which may contain line breaks.
_ENCODED_WORD = re.compile(r"=\?[^?]*\?[bq]\?.*\?=", re.IGNORECASE)


def address_of(text: str, path: str) -> Address:
    """Raises Invalid."""
    try:
        return parse_address(text)
    except InvalidAddress as error:
        raise Invalid.field(path, str(error)) from error


def recipients_of(mail: NewMail) -> Sequence[Address]:
    """Raises Invalid."""
    if isinstance(mail.to, str):
        return [address_of(mail.to, "body.to")]
    found: dict[str, Address] = {}
    for place, text in enumerate(mail.to):
        address = address_of(text, f"body.to[{place}]")
        if address.key in found:
            raise Invalid.field(f"body.to[{place}]", "is given twice")
        found[address.key] = address
    return list(found.values())


def sender_of(mail: NewMail, default: Address | None) -> Address:
    """Raises Invalid."""
    if mail.from_ is not None:
        return address_of(mail.from_, "body.from")
    if default is None:
        raise Invalid.field("body.from", "is required, since OGEL_MAIL_FROM is not set")
    return default


def reply_to_of(mail: NewMail) -> Address | None:
    """Raises Invalid."""
    return None if mail.reply_to is None else address_of(mail.reply_to, "body.reply_to")


def check_headers(headers: Mapping[str, str]) -> None:
    """Raises Invalid."""
    seen: set[str] = set()
    for name, value in headers.items():
        if not _ALLOWED.fullmatch(name):
            raise Invalid.field("body.headers", f"{name[:80]!r} cannot be set; X-… and List-Unsubscribe can")
        if name.lower() in seen:
            raise Invalid.field(f"body.headers.{name}", "is given twice; header names have no case")
        seen.add(name.lower())
        if not _VALUE.fullmatch(value):
            raise Invalid.field(f"body.headers.{name}", "takes 1 to 900 printable ASCII characters")
        if _ENCODED_WORD.search(value):
            raise Invalid.field(f"body.headers.{name}", "takes no encoded words (=?utf-8?q?…?=)")


async def words_of(mail: NewMail, templates: Templates) -> Rendered:
    """Returns the subject and bodies; the locale is empty without a template. Raises Invalid, or TooLarge."""
    if mail.template is None:
        words = _given(mail)
    else:
        for field in ("subject", "text", "html"):
            if getattr(mail, field) is not None:
                raise Invalid.field(f"body.{field}", "comes from the template")
        data = {} if mail.data is msgspec.UNSET else mail.data
        _check_size("body.data", len(msgspec.json.encode(data)), MAX_DATA_BYTES)
        words = await templates.render(mail.template, mail.locale, data)
        if "\x00" in (words.text or "") + (words.html or ""):
            raise Invalid.field("body.data", "holds NUL characters, which mail cannot")
    size = sum(len(each.encode()) for each in (words.text, words.html) if each is not None)
    _check_size(
        "body.data" if mail.template else "body.html" if mail.html else "body.text", size, MAX_CONTENT_BYTES
    )
    return words


def _given(mail: NewMail) -> Rendered:
    if mail.data is not msgspec.UNSET:
        raise Invalid.field("body.data", "is for templates; name one in body.template")
    if mail.subject is None:
        raise Invalid.field("body.subject", "is required without a template")
    if mail.text is None and mail.html is None:
        raise Invalid.field("body.text", "is required without a template or body.html")
    return Rendered("", mail.subject, mail.text, mail.html)


def _check_size(path: str, size: int, most: int) -> None:
    if size > most:
        message = f"makes {size} bytes; {most} are taken at most"
        raise TooLarge(f"{path} {message}.", errors=(FieldError(path, message),))
