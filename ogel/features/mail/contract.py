"""What other features may ask of mail: a letter in their own transaction, whose words nobody reads on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ogel.kernel.principal import Caller
from ogel.kernel.text import pattern
from ogel.runtime.database.database import Transaction

LOCALE_PATTERN = pattern(
    r"^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8}){0,3}(?!\n)$", "a language such as de or pt-BR"
)


class MailQueue(Protocol):
    """`is_ready`: there is a provider and a sender, so that mail which is queued can leave."""

    is_ready: bool

    def admit(self) -> None:
        """Raises Unavailable while too much mail is waiting. To be asked before a transaction begins."""

    async def queue(
        self,
        tx: Transaction,
        caller: Caller,
        to: str,
        template: str,
        locales: Sequence[str],
        data: Mapping[str, Any],
        secrets: Mapping[str, str],
        lifetime_seconds: int | None = None,
    ) -> str:
        """
        Queues one message in the caller's transaction, in the first of the `locales` that the template has. Templates
        see the `secrets` (links, codes) like `data`; where operators look, they do not stand. What could not be sent
        within its lifetime has failed. Returns the message's id. Raises Invalid for an address that no mail can be sent
        to, and what `Templates.render` raises.
        """
