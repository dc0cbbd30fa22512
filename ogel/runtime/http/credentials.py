"""Credentials: what a request says of who sends it, and what reads it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Scope

from ogel.kernel.principal import Caller, Principal
from ogel.runtime.http.exchange import header

KEY = "key"
# What browsers send with a stream, because their WebSocket and EventSource can send no header.
KEY_PARAMETER = "key"
_KEY_CHARACTERS = 1024
_QUERY_FIELDS = 50


class Credential(msgspec.Struct, frozen=True, gc=False):
    """
    `kind` says who knows it: `key`. `value` is the secret itself. A credential that is more than one text (a signature,
    and what was signed) is a subclass.
    """

    kind: str
    value: str


# Finds a credential of its kind in the head of a request; None: there is none.
CredentialReader = Callable[[Scope], Credential | None]

# A credential and who sends it in, its principal out; None when it is nobody's.
Authenticate = Callable[[Credential, Caller], Awaitable[Principal | None]]
# By the kind of credential.
Authenticators = Mapping[str, Authenticate]


def bearer_key(scope: Scope) -> Credential | None:
    """The key of `Authorization: Bearer <key>` (RFC 6750)."""
    scheme, _, key = (header(scope, b"authorization") or "").partition(" ")
    key = key.strip()
    return Credential(KEY, key) if key and scheme.lower() == "bearer" else None


def apikey_header(scope: Scope) -> Credential | None:
    """The key of `apikey: <key>`, as clients of Supabase and Kong send it."""
    key = header(scope, b"apikey")
    return Credential(KEY, key) if key else None


def key_parameter(scope: Scope) -> Credential | None:
    """The key of `?key=`, for streams only: query strings end up in logs and histories."""
    if b"key=" not in scope["query_string"]:
        return None
    try:
        given = parse_qsl(scope["query_string"].decode("latin-1"), max_num_fields=_QUERY_FIELDS)
    except ValueError:  # more parameters than anything takes; who reads them says so
        return None
    key = next((value for name, value in given if name == KEY_PARAMETER), None)
    return Credential(KEY, key) if key else None


def by_key(check: Callable[[str, Caller], Awaitable[Principal | None]]) -> Authenticate:
    """What knows keys, as what knows credentials. Keys are printable ASCII: nobody is asked about anything else."""

    def authenticate(credential: Credential, caller: Caller) -> Awaitable[Principal | None]:
        key = credential.value
        known = len(key) <= _KEY_CHARACTERS and key.isascii() and key.isprintable()
        return check(key, caller) if known else _nobody()

    return authenticate


async def _nobody() -> None:
    return None
