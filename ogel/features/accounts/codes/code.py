"""A one-time code: six digits and the token of a link, either of which may be used once."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from hashlib import sha256
from typing import Literal
from uuid import UUID, uuid4

from msgspec import Struct

from ogel.runtime.secrets.vault import Vault

Purpose = Literal[
    "signup",
    "invite",
    "magiclink",
    "recovery",
    "email_change_current",
    "email_change_new",
    "reauthentication",
]
DIGITS = 6
# Tokens of links whose client wants a code to exchange instead of a session; programs tell them apart by it.
PKCE_PREFIX = "pkce_"
_TOKEN_BYTES = 28


class Code(Struct, frozen=True):
    """
    A code that was used. `address` is where it was sent; `flow_id` the flow of a client that wants a code to exchange.
    """

    user_id: UUID
    purpose: Purpose
    address: str
    flow_id: UUID | None


class FreshCode(Struct, frozen=True):
    """A code as it is sent: only `hash` is stored."""

    id: UUID
    digits: str
    token: str

    @property
    def hash(self) -> bytes:
        return hash_of(self.token)


class Guess(Struct, frozen=True):
    """
    What somebody says a code is: the hashes that it would have, for the purposes that it would do for. `tried` are the
    users of whose codes a try was counted.
    """

    purposes: Sequence[Purpose]
    hashes: Sequence[bytes]
    tried: Sequence[UUID] = ()


class Mint:
    """
    The token follows from the code's id and its digits under a key of ours. So one hash is enough for both, and nobody
    who reads it finds the digits by trying all of them.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def new(self, *, pkce: bool) -> FreshCode:
        id, digits = uuid4(), f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
        return FreshCode(id, digits, self.token(id, digits, pkce=pkce))

    def token(self, id: UUID, digits: str, *, pkce: bool) -> str:
        token = self._vault.mac(f"{id} {digits}".encode(), "one-time code")[:_TOKEN_BYTES].hex()
        return f"{PKCE_PREFIX}{token}" if pkce else token


def hash_of(token: str) -> bytes:
    return sha256(token.encode()).digest()
