"""Which sites people may sign in with, as operators write it: who we are there, and our secret."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote

from msgspec import Struct

from ogel.knobs import Takes
from ogel.runtime.server_urls.others import clean_endpoint
from ogel.runtime.server_urls.parts import BadUrl

# These mean something else.
_TAKEN = frozenset({"email", "phone", "anonymous", "github", "google"})
_NAME = re.compile(r"[a-z][a-z0-9_:-]{0,39}", re.ASCII)
_MOST = 20


class OidcClient(Struct, frozen=True):
    """
    `issuer` is its address, exactly as it writes it. `client_ids`: the first is the one that people are sent there
    with; ID tokens for the others are taken too. `secret` is None where it asks for none.
    """

    name: str
    issuer: str
    client_ids: tuple[str, ...]
    secret: str | None

    @property
    def secrets(self) -> Sequence[str]:
        return [] if self.secret is None else [self.secret]


def oidc_clients() -> Takes:
    return Takes(
        "name=https://issuer|client id|secret, several with semicolons between them; what is none of a-z, A-Z, 0-9 in"
        " an id or secret may be written as in a URL (%3B is a semicolon)",
        _parsed,
    )


def client_ids() -> Takes:
    return Takes("client ids, comma separated; the web app's first", _ids)


def _parsed(value: str) -> tuple[OidcClient, ...]:
    clients = tuple(_client(each.strip()) for each in value.split(";") if each.strip())
    names = {each.name for each in clients}
    if len(names) < len(clients) or len(clients) > _MOST:
        raise ValueError
    return clients


def _client(text: str) -> OidcClient:
    name, _, rest = text.partition("=")
    issuer, ids, *secrets = (each.strip() for each in rest.split("|"))
    if not _NAME.fullmatch(name.strip()):
        raise BadUrl("a name is a-z, 0-9, _, : and -, and begins with a letter")
    if name.strip() in _TAKEN:
        raise BadUrl(f"the name {name.strip()} means something else")
    if len(secrets) > 1:
        raise ValueError
    clean_endpoint(issuer)  # kept as it is: its tokens repeat it to the letter
    secret = unquote(secrets[0]) if secrets and secrets[0] else None
    return OidcClient(name.strip(), issuer, _ids(unquote(ids)), secret)


def _ids(value: str) -> tuple[str, ...]:
    ids = tuple(each.strip() for each in value.split(",") if each.strip())
    if not ids:
        raise ValueError
    return ids
