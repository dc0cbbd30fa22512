"""A letter to one recipient, and the port to mail providers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from ogel.runtime.delivery.providers import ProviderError
from ogel.runtime.mail.address import Address


class Letter(Struct, frozen=True, kw_only=True):
    """`id` is the message's, the same each time it is sent again. `headers` are printable ASCII on one line each."""

    id: str
    sender: Address
    to: Address
    reply_to: Address | None
    subject: str
    text: str | None
    html: str | None
    headers: Mapping[str, str]
    written_at: datetime

    @property
    def message_id(self) -> str:
        """RFC 5322 §3.6.4. It follows from the id, so that a copy sent twice can be recognised as one."""
        return f"<{self.id}@{self.sender.domain}>"


class Receipt(Struct, frozen=True):
    """The provider took the letter. `id` is the provider's, if it gave one."""

    id: str | None = None


class Bounced(ProviderError):
    """The address does not exist. This is final: neither this letter nor others should be sent to it again."""

    def __init__(self, message: str) -> None:
        super().__init__(message, final=True)


class MailProvider(Protocol):
    async def send(self, letter: Letter) -> Receipt:
        """Sends a letter. Raises ProviderError. The caller limits the time."""
