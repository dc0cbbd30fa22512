"""Credentials: how a request says who sends it, the functions that find them, and those that check them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Scope

from ogel.kernel.principal import Caller, Principal
from ogel.runtime.http.exchange import header

KEY = "key"
TOKEN = "token"  # noqa: S105 - the word for it
# Query parameters for the key or token of a stream: a browser's WebSocket and EventSource cannot send headers.
KEY_PARAMETER = "key"
TOKEN_PARAMETER = "access_token"  # noqa: S105 - its name
_KEY_CHARACTERS = 1024
_QUERY_FIELDS = 50


class Credential(msgspec.Struct, frozen=True, gc=False):
    """
    `kind` selects the authenticator (`key`, `token`), `value` is the secret. A credential of several parts, such as a
    signature and what it signs, is a subclass.
    """

    kind: str
    value: str


# Finds a credential of its kind in the head of a request; returns None when there is none.
CredentialReader = Callable[[Scope], Credential | None]

# Takes a credential and the client's address; returns the principal, or None when the credential is not valid.
Authenticate = Callable[[Credential, Caller], Awaitable[Principal | None]]
# Authenticators by the kind of credential.
Authenticators = Mapping[str, Authenticate]


def key_or_token(value: str) -> Credential:
    """Tells a token from a key by its shape: a JWT has three parts, the first of which is base64url of JSON."""
    return Credential(TOKEN if value.startswith("ey") and value.count(".") == 2 else KEY, value)


def bearer(scope: Scope) -> Credential | None:
    """Reads the key or token from `Authorization: Bearer <key>` (RFC 6750)."""
    scheme, _, value = (header(scope, b"authorization") or "").partition(" ")
    value = value.strip()
    return key_or_token(value) if value and scheme.lower() == "bearer" else None


def authorization(scope: Scope) -> Credential | None:
    """As `bearer`, and a key or token alone, as some clients of Supabase send it."""
    value = header(scope, b"authorization") or ""
    return key_or_token(value) if value and " " not in value else bearer(scope)


def apikey_header(scope: Scope) -> Credential | None:
    """Reads the key or token from `apikey: <key>`, as clients of Supabase and Kong send it."""
    value = header(scope, b"apikey")
    return key_or_token(value) if value else None


def query_parameter(scope: Scope) -> Credential | None:
    """
    Reads the key or token from `?key=` or `?access_token=`. Only streams take it: query strings end up in logs and
    browser histories.
    """
    if b"key=" not in scope["query_string"] and b"access_token=" not in scope["query_string"]:
        return None
    try:
        given = parse_qsl(scope["query_string"].decode("latin-1"), max_num_fields=_QUERY_FIELDS)
    except ValueError:  # more parameters than any route takes; decoding the query reports it
        return None
    value = next((value for name, value in given if name in (KEY_PARAMETER, TOKEN_PARAMETER)), None)
    return key_or_token(value) if value else None


def by_key(check: Callable[[str, Caller], Awaitable[Principal | None]]) -> Authenticate:
    """
    Turns a check of keys into an authenticator. Keys are printable ASCII; anything else is refused without asking.
    """

    def authenticate(credential: Credential, caller: Caller) -> Awaitable[Principal | None]:
        key = credential.value
        known = len(key) <= _KEY_CHARACTERS and key.isascii() and key.isprintable()
        return check(key, caller) if known else _nobody()

    return authenticate


async def _nobody() -> None:
    return None
