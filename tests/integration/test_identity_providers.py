"""What providers say is held against what they must say: tokens, keys, discovery, and answers that do not come."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ogel.adapters.egress.outgoing import OutgoingClient
from ogel.adapters.identity_providers import asking, published_keys
from ogel.adapters.identity_providers.github import GitHub
from ogel.adapters.identity_providers.oidc import OpenIdProvider
from ogel.runtime.egress import Exchange, Timings
from ogel.runtime.identity_provider import (
    Attempt,
    BadIdToken,
    IdentityProvider,
    Person,
    ProviderError,
    Redeemed,
    WrongAudience,
)
from ogel.runtime.outgoing import Outgoing
from tests.support.issuer import (
    ACCESS_TOKEN,
    GITHUB_CLIENT,
    GITHUB_SECRET,
    GRACE,
    OIDC_CLIENT,
    OIDC_SECRET,
    REALM,
    Issuer,
    an_issuer,
    jwk,
    rsa_key,
    signed,
)
from tests.support.issuer import Person as At

BACK = "http://auth.example.com/auth/v1/callback"
ATTEMPT = Attempt("state-1", "nonce-1", "v" * 43)
CERTS, TOKEN, USERINFO = (
    f"{REALM}/protocol/openid-connect/{each}" for each in ("certs", "token", "userinfo")
)
DISCOVERY = f"{REALM}/.well-known/openid-configuration"


@pytest.fixture(scope="module")
def _one() -> Iterator[Issuer]:
    with an_issuer() as issuer:
        yield issuer


@pytest.fixture
def issuer(_one: Issuer) -> Issuer:
    _one.reset()
    return _one


def openid(issuer: Issuer, outgoing: Outgoing, *more_ids: str) -> OpenIdProvider:
    return OpenIdProvider(outgoing, issuer.issuer, (OIDC_CLIENT, *more_ids), OIDC_SECRET)


def told(story: Callable[[Outgoing], Awaitable[Any]]) -> Any:
    async def whole() -> Any:
        client = OutgoingClient()
        try:
            async with asyncio.timeout(20):
                return await story(client)
        finally:
            await client.close()

    return asyncio.run(whole())


async def round_trip(provider: IdentityProvider, issuer: Issuer, attempt: Attempt = ATTEMPT) -> Redeemed:
    url = await provider.authorization_url(BACK, ATTEMPT, ["extra"], {"prompt": "consent"})
    back = urlsplit(await asyncio.to_thread(issuer.visit, url))
    said = dict(parse_qsl(back.query))
    assert said["state"] == attempt.state
    return await provider.redeem(said["code"], BACK, attempt, said.get("iss"))


def signs_in(issuer: Issuer, attempt: Attempt = ATTEMPT) -> Person:
    redeemed: Redeemed = told(lambda outgoing: round_trip(openid(issuer, outgoing), issuer, attempt))
    assert redeemed.access_token == ACCESS_TOKEN
    return redeemed.person


def reads(issuer: Issuer, token: str, access_token: str | None = None, *more_ids: str) -> Person:
    person, _ = told(lambda outgoing: openid(issuer, outgoing, *more_ids).read(token, access_token))
    return person


def test_an_openid_provider_says_who_has_signed_in(issuer: Issuer) -> None:
    person = signs_in(issuer)

    assert (person.id, person.email, person.email_verified) == ("kc-ada", "ada@example.com", True)
    assert person.claims == {
        "iss": issuer.issuer,
        "sub": "kc-ada",
        "provider_id": "kc-ada",
        "name": "Ada",
        "full_name": "Ada",
        "email": "ada@example.com",
        "email_verified": True,
        "phone_verified": False,
        "custom_claims": {"preferred_username": "ada"},
    }


def test_what_the_browser_is_sent_with(issuer: Issuer) -> None:
    url = told(
        lambda outgoing: openid(issuer, outgoing).authorization_url(
            BACK, ATTEMPT, ["email", "extra"], {"x": "y"}
        )
    )

    asked = dict(parse_qsl(urlsplit(url).query))
    digest = hashlib.sha256(ATTEMPT.verifier.encode()).digest()
    assert asked == {
        "x": "y",
        "client_id": OIDC_CLIENT,
        "redirect_uri": BACK,
        "response_type": "code",
        "scope": "openid profile email extra",
        "state": "state-1",
        "nonce": "nonce-1",
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
    }


def test_github_says_who_has_signed_in_and_which_addresses_are_theirs(issuer: Issuer) -> None:
    issuer.person = GRACE

    redeemed = told(
        lambda outgoing: round_trip(GitHub(outgoing, GITHUB_CLIENT, GITHUB_SECRET, f"{issuer.url}/"), issuer)
    )

    person = redeemed.person
    assert (person.id, person.email, person.verified) == ("4242", "grace@example.com", {"grace@example.com"})
    assert person.claims["user_name"] == "gracehub" and person.claims["iss"] == f"{issuer.url}/api/v3"


def test_an_address_comes_from_userinfo_where_the_token_has_none(issuer: Issuer) -> None:
    issuer.claims = {"email": None, "email_verified": None}

    assert signs_in(issuer).email_verified


def test_userinfo_about_somebody_else_is_refused(issuer: Issuer) -> None:
    issuer.claims = {"email": None}
    issuer.says[USERINFO] = (
        200,
        {},
        b'{"sub": "kc-eve", "email": "ada@example.com", "email_verified": true}',
    )

    with pytest.raises(ProviderError, match="somebody else"):
        signs_in(issuer)


@pytest.mark.parametrize("verified", [False, None, "false", 1, "yes"])
def test_an_address_that_the_provider_has_not_verified_is_not_trusted(issuer: Issuer, verified: Any) -> None:
    issuer.claims = {"email_verified": verified}

    assert not signs_in(issuer).email_verified


@pytest.mark.parametrize(
    "email", ["", "ada", "ada@localhost", "a\nb@example.com", "x" * 300 + "@example.com", 7]
)
def test_what_is_no_address_is_none(issuer: Issuer, email: Any) -> None:
    issuer.claims = {"email": email}

    assert signs_in(issuer).email is None


def test_what_a_database_cannot_hold_is_replaced(issuer: Issuer) -> None:
    issuer.person = At(
        name="A\x00da \ud800",
        more={"a\x00": ["\x00", 2**70, {"x": "\udfff"}], "infinite": float("inf"), "عربي": "👩\u200d🚀"},
    )

    claims = signs_in(issuer).claims

    assert claims["name"] == "A\ufffdda ?"
    custom = {"a\ufffd": ["\ufffd", str(2**70), {"x": "?"}], "infinite": None, "عربي": "👩\u200d🚀"}
    assert claims["custom_claims"] == custom


def test_what_is_kept_of_somebody_is_bounded(issuer: Issuer) -> None:
    issuer.person = At(name="A" * 4000, more={"groups": [f"group-{n}" for n in range(400)]})

    claims = signs_in(issuer).claims

    assert len(claims["name"]) == 2048 and claims["custom_claims"] == {}


# ID tokens that are not to be believed, and what makes them so.


def hmac_with_the_public_key(claims: dict[str, Any]) -> str:
    """Key confusion; PyJWT itself refuses to sign so."""
    pem = rsa_key("first").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return hmac_signed(claims, pem)


def hmac_signed(claims: dict[str, Any], secret: bytes, **header: Any) -> str:
    parts = [{"alg": "HS256", "kid": "first", **header}, claims]
    signed = b".".join(base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=") for each in parts)
    signature = base64.urlsafe_b64encode(hmac.digest(secret, signed, "sha256")).rstrip(b"=")
    return b".".join([signed, signature]).decode()


def unsigned(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, None, "none", {"kid": "first"})


SECRET_KEY = b"published-by-mistake-published-by-mistake"
OCT = {"kty": "oct", "kid": "oct", "k": base64.urlsafe_b64encode(SECRET_KEY).decode().rstrip("=")}

FORGED: dict[str, Callable[[dict[str, Any]], str]] = {
    "unsigned": unsigned,
    "signed with the client's secret": lambda claims: hmac_signed(claims, OIDC_SECRET.encode()),
    "signed with the public key as a secret": hmac_with_the_public_key,
    "signed by somebody else under the key's name": lambda claims: jwt.encode(
        claims, rsa_key("eve"), "RS256", {"kid": "first"}
    ),
    "signed with a key that is not published": lambda claims: signed(claims, "eve"),
    "bringing its own key": lambda claims: jwt.encode(
        claims, rsa_key("eve"), "RS256", {"kid": "eve", "jwk": jwk("eve"), "jku": "http://evil.example/"}
    ),
    "signed with a secret that is published": lambda claims: hmac_signed(claims, SECRET_KEY, kid="oct"),
    "the same, and says RS256": lambda claims: hmac_signed(claims, SECRET_KEY, kid="oct", alg="RS256"),
    "with an extension that must be understood": lambda claims: signed(claims, "first", crit=["exp"], exp=1),
    "changed": lambda claims: _changed(signed(claims, "first")),
    "cut": lambda claims: signed(claims, "first").rpartition(".")[0],
    "garbage": lambda claims: "garbage",
    "empty": lambda claims: "",
    "not ASCII": lambda claims: "é.é.é",
    "huge": lambda claims: signed({**claims, "x": "x" * 20_000}, "first"),
    "deep": lambda claims: f"{_base64(b'[' * 3000)}.e30.e30",
    "of no claims": lambda claims: signed({}, "first"),
    "with a number for an algorithm": lambda claims: (
        f"{_base64(b'{%salg%s:5}' % (b'%c' % 34, b'%c' % 34))}.e30.e30"
    ),
}


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _changed(token: str) -> str:
    header, payload, signature = token.split(".")
    said = {**json.loads(base64.urlsafe_b64decode(payload + "==")), "sub": "kc-eve"}
    return f"{header}.{_base64(json.dumps(said).encode())}.{signature}"


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_a_token_is_refused(issuer: Issuer, forge: Callable[[dict[str, Any]], str]) -> None:
    issuer.more_keys = [OCT]
    issuer.sign = forge

    with pytest.raises(BadIdToken):
        reads(issuer, issuer.id_token())


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "http://evil.example.com"},
        {"iss": None},
        {"aud": "other"},
        {"aud": []},
        {"aud": None},
        {"aud": {"kc-client": 1}},
        {"aud": ["other", OIDC_CLIENT]},
        {"aud": ["other", OIDC_CLIENT], "azp": "other"},
        {"exp": (-60,)},
        {"exp": None},
        {"exp": "soon"},
        {"exp": float("inf")},
        {"exp": -1e400},
        {"iat": None},
        {"iat": (120,)},
        {"nbf": (120,)},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
        {"sub": "kc-ada\x00"},
        {"sub": "\ud800"},
    ],
    ids=str,
)
def test_a_token_that_says_so_is_refused(issuer: Issuer, claims: dict[str, Any]) -> None:
    """A tuple is so many seconds from now."""
    now = int(time.time())
    said = {name: now + each[0] if isinstance(each, tuple) else each for name, each in claims.items()}
    with pytest.raises(BadIdToken):
        reads(issuer, issuer.id_token(**said))


def test_a_token_for_several_is_taken_when_it_was_made_for_us(issuer: Issuer) -> None:
    token = issuer.id_token(aud=["other", OIDC_CLIENT], azp=OIDC_CLIENT)

    assert reads(issuer, token).id == "kc-ada"


def test_a_token_of_our_app_on_a_phone_is_taken(issuer: Issuer) -> None:
    with pytest.raises(WrongAudience):
        reads(issuer, issuer.id_token(aud="kc-phone"))
    assert reads(issuer, issuer.id_token(aud="kc-phone"), None, "kc-phone").id == "kc-ada"


def test_an_access_token_must_be_the_one_that_came_with_the_id_token(issuer: Issuer) -> None:
    half = _base64(hashlib.sha256(ACCESS_TOKEN.encode()).digest()[:16])

    assert reads(issuer, issuer.id_token(at_hash=half), ACCESS_TOKEN).id == "kc-ada"
    with pytest.raises(BadIdToken):
        reads(issuer, issuer.id_token(at_hash=half), "another")


@pytest.mark.parametrize("nonce", [None, "", "another", 5])
def test_a_code_that_was_put_into_another_sign_in_is_refused(issuer: Issuer, nonce: Any) -> None:
    issuer.claims = {"nonce": nonce}

    with pytest.raises(BadIdToken, match="another sign-in"):
        signs_in(issuer)


def test_a_code_is_redeemed_only_by_who_asked_for_it(issuer: Issuer) -> None:
    with pytest.raises(ProviderError, match="invalid_grant"):
        signs_in(issuer, Attempt("state-1", "nonce-1", "w" * 43))


@pytest.mark.parametrize("iss", ["http://honest.example.com", "", None])
def test_a_code_of_another_issuer_goes_nowhere(issuer: Issuer, iss: str | None) -> None:
    issuer.discovery = {"authorization_response_iss_parameter_supported": True}
    issuer.callback = {"iss": iss}

    with pytest.raises(ProviderError, match="RFC 9207"):
        signs_in(issuer)
    assert issuer.token_requests == []


# Keys, discovery and answers.


def test_keys_may_be_rotated(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published_keys, "LOOK_AGAIN_SECONDS", 0.0)

    async def story(outgoing: Outgoing) -> None:
        provider = openid(issuer, outgoing)
        await provider.read(issuer.id_token(), None)
        old = issuer.id_token()
        issuer.kids = ["second", "first"]
        await provider.read(issuer.id_token(), None)
        await provider.read(old, None)
        issuer.kids = ["second"]
        await provider.read(issuer.id_token(), None)

    told(story)


def test_tokens_of_unknown_keys_do_not_make_us_ask_for_each(issuer: Issuer) -> None:
    async def story(outgoing: Outgoing) -> None:
        provider = openid(issuer, outgoing)
        for each in range(20):
            with pytest.raises(BadIdToken):
                await provider.read(jwt.encode({}, rsa_key("eve"), "RS256", {"kid": f"k{each}"}), None)

    told(story)
    assert len([each for each in issuer.asked if each.target == CERTS]) == 1


def test_of_several_keys_the_token_must_name_one(issuer: Issuer) -> None:
    without = jwt.encode({**_claims(issuer)}, rsa_key("first"), "RS256")
    assert reads(issuer, without).id == "kc-ada"

    issuer.kids = ["first", "second"]
    with pytest.raises(BadIdToken):
        reads(issuer, without)


def _claims(issuer: Issuer) -> dict[str, Any]:
    return jwt.decode(issuer.id_token(), options={"verify_signature": False})


@pytest.mark.parametrize(
    "named",
    [
        {"issuer": "http://evil.example.com"},
        {"token_endpoint": None},
        {"jwks_uri": 7},
        {"authorization_endpoint": []},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": "file:///etc/passwd"},
    ],
    ids=str,
)
def test_discovery_that_is_wrong_is_refused(issuer: Issuer, named: dict[str, Any]) -> None:
    issuer.discovery = named

    with pytest.raises(ProviderError, match="discovery"):
        signs_in(issuer)


def test_a_slash_at_the_end_makes_no_other_issuer(issuer: Issuer) -> None:
    issuer.discovery = {"issuer": f"{issuer.issuer}/"}
    issuer.claims = {"iss": f"{issuer.issuer}/"}
    issuer.callback = {"iss": f"{issuer.issuer}/"}

    assert signs_in(issuer).id == "kc-ada"


def test_an_issuer_with_tls_names_no_address_without(issuer: Issuer) -> None:
    secure = issuer.issuer.replace("http:", "https:")
    provider = OpenIdProvider(Scripted(issuer, {"issuer": secure}), secure, (OIDC_CLIENT,), OIDC_SECRET)

    with pytest.raises(ProviderError, match="without https"):
        asyncio.run(provider.authorization_url(BACK, ATTEMPT, (), {}))


class Scripted(OutgoingClient):
    """Answers discovery without a network."""

    def __init__(self, issuer: Issuer, changed: dict[str, str]) -> None:
        super().__init__()
        at = issuer.issuer
        self.document = {"authorization_endpoint": at, "token_endpoint": at, "jwks_uri": at, **changed}

    async def request(self, *_: Any, **__: Any) -> Exchange:
        return Exchange(200, [], json.dumps(self.document).encode(), False, None, Timings())


def endless(server: BaseHTTPRequestHandler) -> None:
    server.send_response(200)
    server.end_headers()
    for _ in range(400):
        server.wfile.write(b" " * 65536)


def slow(server: BaseHTTPRequestHandler) -> None:
    server.send_response(200)
    server.send_header("Content-Length", "1000")
    server.end_headers()
    for _ in range(20):
        time.sleep(0.1)
        server.wfile.write(b" ")


WRONG: dict[str, Any] = {
    "nothing": (204, {}, b""),
    "a page": (200, {"Content-Type": "text/html"}, b"<html>"),
    "an array": (200, {}, b"[]"),
    "deep": (200, {}, b"[" * 100_000),
    "no UTF-8": (200, {}, b'{"keys": ["\xff"]}'),
    "an error": (503, {"Retry-After": "1"}, b'{"error": "temporarily_unavailable"}'),
    "10 MB": (200, {}, b'{"keys": [' + b" " * 10_000_000 + b"]}"),
    "endless": endless,
    "too slow": slow,
    "elsewhere": (302, {"Location": "http://127.0.0.1:1/latest/meta-data"}, b""),
}


@pytest.mark.parametrize("path", [DISCOVERY, CERTS, TOKEN])
@pytest.mark.parametrize("said", WRONG.values(), ids=WRONG)
def test_an_answer_that_is_none_ends_the_sign_in(
    issuer: Issuer, path: str, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "TIMEOUT_SECONDS", 0.3)
    issuer.says[path] = said

    with pytest.raises(ProviderError) as refused:
        signs_in(issuer)
    assert OIDC_SECRET not in str(refused.value)


def test_what_a_provider_quotes_of_our_secrets_is_masked(issuer: Issuer) -> None:
    issuer.discovery = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    issuer.says[TOKEN] = (
        400,
        {},
        json.dumps({"error": "no", "error_description": f"not {OIDC_SECRET}"}).encode(),
    )

    with pytest.raises(ProviderError) as refused:
        signs_in(issuer)
    assert "no not" in str(refused.value) and OIDC_SECRET not in str(refused.value)


def test_a_provider_that_is_away_is_asked_once_by_all_who_wait(issuer: Issuer) -> None:
    issuer.says[DISCOVERY] = (500, {}, b"")

    async def story(outgoing: Outgoing) -> list[BaseException | str]:
        provider = openid(issuer, outgoing)
        asked = [provider.authorization_url(BACK, ATTEMPT, (), {}) for _ in range(10)]
        return await asyncio.gather(*asked, return_exceptions=True)

    assert all(isinstance(each, ProviderError) for each in told(story))
    assert len(issuer.asked) == 1
