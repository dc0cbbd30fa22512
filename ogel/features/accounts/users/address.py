"""The mail address that a user is known by."""

from __future__ import annotations

from ogel.features.accounts.errors import AccountError
from ogel.runtime.mail.address import InvalidAddress, parse_address

# Of the whole address (RFC 5321 §4.5.3.1.3), as GoTrue has it.
_MOST_CHARACTERS = 255


def email_of(text: str) -> str:
    """Returns it in lower case, its domain in ASCII: every spelling is one user. Raises AccountError."""
    if len(text) > _MOST_CHARACTERS:
        raise AccountError(400, "validation_failed", "An email address is too long")
    try:
        address = parse_address(text)
    except InvalidAddress as error:
        raise _invalid() from error
    if address.name or text != text.strip(" ") or "<" in text:
        raise _invalid()
    return address.key


def _invalid() -> AccountError:
    return AccountError(400, "validation_failed", "Unable to validate email address: invalid format")
