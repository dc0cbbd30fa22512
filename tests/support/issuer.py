"""
A site that people sign in with, on loopback: an OpenID provider (discovery, keys, codes, tokens, userinfo) and GitHub's
dialect of it. It holds clients to what it was told, and says what a test wants it to say wrongly.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.answering import Asked, answering

REALM = "/realms/acme"
OIDC_CLIENT, OIDC_SECRET = "kc-client", "kc-secret"
GITHUB_CLIENT, GITHUB_SECRET = "gh-client", "gh-secret"
ACCESS_TOKEN, REFRESH_TOKEN = "idp-access-token", "idp-refresh-token"
_SIGNS = "/protocol/openid-connect"

Json = dict[str, Any]
Headers = dict[str, str]
Said = tuple[int, Headers, bytes]


@cache
def rsa_key(kid: str) -> rsa.RSAPrivateKey:
    """A key for each name, the same in the whole test process."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(frozen=True)
class Person:
    """`emails` are GitHub's: (address, primary, verified). An OpenID provider says `email` and `email_verified`."""

    sub: str = "kc-ada"
    email: str | None = "ada@example.com"
    verified: bool = True
    name: str = "Ada"
    more: Mapping[str, Any] = field(default_factory=lambda: {"preferred_username": "ada"})
    emails: tuple[tuple[str, bool, bool], ...] = ()

    def claims(self) -> Json:
        said: Json = {"sub": self.sub, "name": self.name, **self.more}
        return said if self.email is None else {**said, "email": self.email, "email_verified": self.verified}


ADA = Person()
GRACE = Person(
    "4242",
    "grace@example.com",
    name="Grace",
    more={"login": "gracehub", "avatar_url": "http://img.example.com/g.png"},
    emails=(("grace@example.com", True, True), ("other@example.com", False, False)),
)


@dataclass
class Grant:
    """A code that was given out, and what it is bound to."""

    client: str
    redirect_uri: str
    challenge: str | None
    nonce: str | None
    person: Person


@dataclass
class Issuer:
    """
    person     who signs in at this moment, and always consents.
    callback   replaces parameters of the redirect back (`state`, `iss`, `code`); None leaves one out.
    claims     replaces claims of ID tokens; None leaves one out.
    discovery  replaces members of the discovery document.
    kids       the keys that are published; the first one signs.
    sign       makes an ID token of its claims, instead of a key.
    says       what is answered at a path instead: (status, headers, body), or a function that writes the answer.
    """

    url: str
    person: Person = ADA
    callback: dict[str, str | None] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    discovery: dict[str, Any] = field(default_factory=dict)
    kids: list[str] = field(default_factory=lambda: ["first"])
    more_keys: list[Json] = field(default_factory=list)
    sign: Callable[[Json], str] | None = None
    says: dict[str, Said | Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    token_requests: list[dict[str, str]] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        return self.url + REALM

    @property
    def settings(self) -> dict[str, str]:
        """The variables of a suite that signs people in here, as `keycloak` and as `github`."""
        return {
            "OGEL_AUTH_OIDC": f"keycloak={self.issuer}|{OIDC_CLIENT}|{OIDC_SECRET}",
            "OGEL_AUTH_GITHUB_CLIENT_ID": GITHUB_CLIENT,
            "OGEL_AUTH_GITHUB_SECRET": GITHUB_SECRET,
            "OGEL_AUTH_GITHUB_URL": self.url,
        }

    def visit(self, authorization_url: str) -> str:
        """Goes where a client sent the browser, and returns where the browser is sent back to."""
        parts = urlsplit(authorization_url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        try:
            connection.request("GET", f"{parts.path}?{parts.query}")
            answer = connection.getresponse()
            assert answer.status == 302, (answer.status, answer.read())
            return answer.headers["Location"]
        finally:
            connection.close()

    def allow(self, code: str, authorization_url: str) -> None:
        """Makes `code` good for this request, as if the person had been there."""
        asked = dict(parse_qsl(urlsplit(authorization_url).query))
        self.grants[code] = Grant(
            asked["client_id"],
            asked["redirect_uri"],
            asked.get("code_challenge"),
            asked.get("nonce"),
            self.person,
        )

    def id_token(self, person: Person | None = None, **claims: Any) -> str:
        """An ID token for the OpenID client; `claims` come on top, None leaves one out."""
        now = int(time.time())
        said: Json = {
            "iss": self.issuer,
            "aud": OIDC_CLIENT,
            "iat": now,
            "exp": now + 300,
            **(person or self.person).claims(),
            **self.claims,
            **claims,
        }
        said = {name: value for name, value in said.items() if value is not None}
        return self.sign(said) if self.sign is not None else signed(said, self.kids[0])

    def reset(self) -> None:
        """Honest again."""
        fresh = Issuer(self.url)
        for name in (
            "person",
            "callback",
            "claims",
            "discovery",
            "kids",
            "more_keys",
            "sign",
            "says",
            "grants",
        ):
            setattr(self, name, getattr(fresh, name))
        self.asked.clear()
        self.token_requests.clear()


def signed(claims: Json, kid: str, algorithm: str = "RS256", **header: Any) -> str:
    return jwt.encode(claims, rsa_key(kid), algorithm, {"kid": kid, **header})


def jwk(kid: str) -> Json:
    public = jwt.algorithms.RSAAlgorithm.to_jwk(rsa_key(kid).public_key(), as_dict=True)
    return {**public, "kid": kid, "use": "sig", "alg": "RS256"}


@contextmanager
def an_issuer() -> Iterator[Issuer]:
    def handle(server: BaseHTTPRequestHandler, asked: Asked) -> None:
        issuer.asked.append(asked)
        parts = urlsplit(asked.target)
        said = issuer.says.get(parts.path)
        if callable(said):
            said(server)
            return
        _write(server, said or _answer(issuer, asked, parts.path, dict(parse_qsl(parts.query))))

    with answering(handle) as server:
        issuer = Issuer(server.url)
        yield issuer


def _write(server: BaseHTTPRequestHandler, said: Said) -> None:
    status, headers, body = said
    server.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        server.send_header(name, value)
    server.end_headers()
    server.wfile.write(body)


def _answer(issuer: Issuer, asked: Asked, path: str, query: dict[str, str]) -> Said:
    match path.removeprefix(REALM) if path.startswith(REALM) else path:
        case "/.well-known/openid-configuration":
            return _json(_discovery(issuer))
        case "/protocol/openid-connect/certs":
            return _json({"keys": [*issuer.more_keys, *map(jwk, issuer.kids)]})
        case "/protocol/openid-connect/auth":
            return _authorized(issuer, query, issuer.issuer)
        case "/login/oauth/authorize":
            return _authorized(issuer, query, None)
        case "/protocol/openid-connect/token":
            return _redeemed(issuer, asked, OIDC_CLIENT, OIDC_SECRET)
        case "/login/oauth/access_token":
            return _redeemed(issuer, asked, GITHUB_CLIENT, GITHUB_SECRET)
    if asked.headers.get("authorization") != f"Bearer {ACCESS_TOKEN}":
        return _json({"message": "Bad credentials"}, 401)
    person = issuer.person
    match path.removeprefix(issuer.issuer.removeprefix(issuer.url)):
        case "/protocol/openid-connect/userinfo":
            return _json(person.claims())
        case "/api/v3/user":
            return _json({"id": int(person.sub), "name": person.name, "email": None, **person.more})
        case "/api/v3/user/emails":
            emails = [
                {"email": email, "primary": first, "verified": ok} for email, first, ok in person.emails
            ]
            return _json(emails)
    return _json({"error": "not_found"}, 404)


def _discovery(issuer: Issuer) -> Json:
    at = issuer.issuer + _SIGNS
    return {
        "issuer": issuer.issuer,
        "authorization_endpoint": f"{at}/auth",
        "token_endpoint": f"{at}/token",
        "userinfo_endpoint": f"{at}/userinfo",
        "jwks_uri": f"{at}/certs",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
        **issuer.discovery,
    }


def _authorized(issuer: Issuer, query: dict[str, str], iss: str | None) -> Said:
    code = base64.urlsafe_b64encode(hashlib.sha256(f"{time.monotonic_ns()}".encode()).digest()).decode()[:24]
    back: dict[str, str | None] = {"code": code, "state": query.get("state"), "iss": iss, **issuer.callback}
    if "error" not in back:
        issuer.allow(code, f"?{urlencode(query)}")
    given = {name: value for name, value in back.items() if value is not None}
    return 302, {"Location": f"{query['redirect_uri']}?{urlencode(given)}"}, b""


def _redeemed(issuer: Issuer, asked: Asked, client: str, secret: str) -> Said:
    form = dict(parse_qsl(asked.body.decode()))
    issuer.token_requests.append(form)
    grant = issuer.grants.pop(form.get("code", ""), None)
    if not _is_client(asked, form, client, secret):
        return _json({"error": "invalid_client"}, 401)
    if grant is None or not _fits(grant, form, client):
        # GitHub says errors with 200.
        return _json({"error": "invalid_grant"}, 200 if client == GITHUB_CLIENT else 400)
    answer: Json = {
        "access_token": ACCESS_TOKEN,
        "refresh_token": REFRESH_TOKEN,
        "token_type": "bearer",
        "expires_in": 300,
    }
    if client == OIDC_CLIENT:
        answer["id_token"] = issuer.id_token(grant.person, **{"nonce": grant.nonce, **issuer.claims})
    return _json(answer)


def _is_client(asked: Asked, form: dict[str, str], client: str, secret: str) -> bool:
    basic = asked.headers.get("authorization", "")
    if basic.startswith("Basic "):
        name, _, password = base64.b64decode(basic[6:]).decode().partition(":")
        return (unquote(name), unquote(password)) == (client, secret)
    return (form.get("client_id"), form.get("client_secret")) == (client, secret)


def _fits(grant: Grant, form: dict[str, str], client: str) -> bool:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
    return (grant.client, grant.redirect_uri, grant.challenge) == (
        client,
        form.get("redirect_uri"),
        challenge.decode().rstrip("="),
    )


def _json(document: object, status: int = 200) -> Said:
    return status, {"Content-Type": "application/json"}, json.dumps(document).encode()
