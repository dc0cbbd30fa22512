"""Words of mail that give access to accounts: sealed until a provider has taken them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ogel.features.mail.templating import Rendered
from ogel.runtime.secrets.vault import Vault

# In a subject that operators see, instead of a code.
_HIDDEN = "…"

# Subject, text and HTML.
Words = tuple[str, str | None, str | None]


def words_purpose(request_id: str) -> str:
    return f"mail_request:{request_id}"


def seal(vault: Vault, request_id: str, words: Rendered) -> bytes:
    plain: Words = (words.subject, words.text, words.html)
    return vault.seal(msgspec.json.encode(plain), words_purpose(request_id))


def unseal(vault: Vault, request_id: str, sealed: bytes) -> Words:
    """Raises Unsealable."""
    words: Words = msgspec.json.decode(vault.open(sealed, words_purpose(request_id)), type=Words)
    return words


def without(secrets: Iterable[str], subject: str) -> str:
    for secret in secrets:
        subject = subject.replace(secret, _HIDDEN)
    return subject
