"""Access tokens that somebody else made, or changed: all are refused, whatever they say of themselves."""

from __future__ import annotations

import base64
import hmac
import json
import time
import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt as other_jwt
from joserfc.jwk import ECKey, OKPKey

from ogel.features.accounts.sessions.session import Issued
from ogel.runtime.database.database import Transaction
from tests.support.people import People
from tests.support.process import Response
from tests.support.world import World

ISSUER = "https://auth.example.com/auth/v1"
ENVIRONMENT = {"OGEL_AUTH_URL": ISSUER}
LEGACY = "super-secret-jwt-token-with-at-least-32-characters-long"
Json = dict[str, Any]


class Forge:
    """Makes tokens with the suite's own key, so that a test changes one thing only."""

    def __init__(self, api: World) -> None:
        self.api = api
        self.people = People(api)
        self.issued: Issued = self.people.signs_in(self.people.somebody())
        self.signer = self.people.run(self.people.accounts.signing_keys.signer())
        self.claims: Json = jwt.decode(self.issued.access_token, options={"verify_signature": False})
        self.header: Json = jwt.get_unverified_header(self.issued.access_token)
        [self.jwk] = api("GET", "/auth/v1/.well-known/jwks.json", key="").json["keys"]

    def token(self, header: Json | None = None, without: str = "", **claims: Any) -> str:
        whole = {name: value for name, value in (self.claims | claims).items() if name != without}
        return self.raw(json.dumps(self.header | (header or {})), json.dumps(whole))

    def raw(self, header: str, payload: str, key: Any = None) -> str:
        """Signed whatever it says."""
        signed = f"{b64(header.encode())}.{b64(payload.encode())}"
        algorithm = jwt.get_algorithm_by_name("ES256")
        return f"{signed}.{b64(algorithm.sign(signed.encode(), key or self.signer.private))}"

    def parts(self) -> list[str]:
        return self.issued.access_token.split(".")


async def _execute(query: bytes, tx: Transaction) -> None:
    await tx.execute(query)


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def forge(api: World) -> Forge:
    return Forge(api)


def shown(api: World, token: str) -> Response:
    return api("GET", "/auth/v1/user", key=token)


def refused(api: World, token: str) -> None:
    answer = shown(api, token)
    assert (answer.status, answer.json["error_code"]) == (403, "bad_jwt"), answer.json
    own = api("GET", "/api/me", key=token)
    assert (own.status, own.headers["www-authenticate"]) == (401, "Bearer")


def test_the_forge_makes_good_tokens(api: World, forge: Forge) -> None:
    assert shown(api, forge.token()).status == 200
    assert shown(api, forge.token({"typ": "jwt"})).status == 200
    assert shown(api, forge.token(exp=int(time.time()) - 20)).status == 200  # clocks differ
    assert api("GET", "/api/me", key=forge.token()).json["kind"] == "user"


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": "soon"},
        {"exp": None},
        {"exp": {}},
        {"aud": "others"},
        {"aud": ["others"]},
        {"aud": None},
        {"iss": "https://evil.example.com"},
        {"iss": ISSUER + "/"},
        {"iss": [ISSUER, "https://evil.example.com"]},
        {"jti": 5},
        {"session_id": "x"},
        {"session_id": ["a"]},
        {"session_id": None},
        {"sub": ["a"]},
    ],
    ids=str,
)
def test_claims_that_are_not_ours(api: World, forge: Forge, claims: Json) -> None:
    refused(api, forge.token(**claims))


@pytest.mark.parametrize(("name", "seconds"), [("exp", -40), ("nbf", 600), ("iat", 600)])
def test_times_that_are_over_or_to_come(api: World, forge: Forge, name: str, seconds: int) -> None:
    refused(api, forge.token(**{name: int(time.time()) + seconds}))


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp", "iat", "jti", "session_id"])
def test_claims_that_are_missing(api: World, forge: Forge, name: str) -> None:
    refused(api, forge.token(without=name))


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "at+jwt"},
        {"typ": None},
        {"typ": ["JWT"]},
        {"kid": "zzz"},
        {"kid": "../../../etc/passwd"},
        {"kid": "' OR 1=1 --"},
        {"kid": None},
        {"kid": 7},
        {"kid": ["a"]},
        {"alg": "ES384"},
        {"alg": None},
        {"alg": ["ES256"]},
        {"crit": ["exp"]},
        {"b64": False, "crit": ["b64"]},
        {"zip": "DEF", "crit": ["zip"]},
    ],
    ids=str,
)
def test_headers_that_are_not_ours(api: World, forge: Forge, header: Json) -> None:
    refused(api, forge.token(header))


def test_no_algorithm(api: World, forge: Forge) -> None:
    _, payload, signature = forge.parts()
    for name in ("none", "None", "NONE", "nOnE"):
        header = b64(json.dumps(forge.header | {"alg": name}).encode())
        for last in ("", signature):
            refused(api, f"{header}.{payload}.{last}")


def test_a_public_key_is_no_shared_secret(api: World, forge: Forge) -> None:
    public = forge.signer.private.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    secrets = [pem, pem.strip(), der, json.dumps(forge.jwk).encode(), forge.jwk["x"].encode(), b""]
    for secret in secrets:
        for header in (forge.header, {"typ": "JWT"}):
            signed = f"{b64(json.dumps(header | {'alg': 'HS256'}).encode())}.{forge.parts()[1]}"
            mac = hmac.digest(secret, signed.encode(), "sha256")
            refused(api, f"{signed}.{b64(mac)}")


def test_keys_that_come_with_the_token_are_not_looked_at(api: World, forge: Forge) -> None:
    theirs = ec.generate_private_key(ec.SECP256R1())
    jwk = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(theirs.public_key()))
    for more in ({"jwk": jwk}, {"jku": "https://evil.example.com/jwks"}, {"x5u": "https://evil.example.com/x"},
                 {"x5c": ["MIIB"]}, {"jwk": jwk, "kid": "theirs"}):  # fmt: skip
        header = json.dumps(forge.header | more)
        refused(api, forge.raw(header, json.dumps(forge.claims), theirs))
        if "kid" not in more:
            assert shown(api, forge.raw(header, json.dumps(forge.claims))).status == 200


def test_signatures_that_are_none(api: World, forge: Forge) -> None:
    header, payload, signature = forge.parts()
    raw = base64.urlsafe_b64decode(signature + "==")
    for wrong in (b"", bytes(64), raw[:-1], raw + b"\0", b"\xff" * 64, raw[32:] + raw[:32]):
        refused(api, f"{header}.{payload}.{b64(wrong)}")
    for text in (f"{header}.{payload}.{signature[:-8]}!@#$%^&*", f"{header}.{payload}.{signature}é",
                 f"{header}.{payload[:-2]}.{signature}", f"{header}..{signature}", "ey..", "ey.é.x",
                 f"{b64(b'[]')}.{payload}.{signature}", f"{b64(b'5')}.{payload}.{signature}",
                 f"ey{header}.{payload}.{signature}", f"{header}.{payload}.{signature}.{header}.x"):  # fmt: skip
        refused(api, text)


def test_what_is_said_twice_is_not_believed_once(api: World, forge: Forge) -> None:
    header, claims = json.dumps(forge.header), json.dumps(forge.claims)
    other = forge.people.signs_in(forge.people.somebody())
    refused(api, forge.raw(header, f'{{"sub":"{other.user.id}",{claims[1:]}'))
    refused(api, forge.raw(header, f'{claims[:-1]},"sub":"{other.user.id}"}}'))
    refused(api, forge.raw(f'{{"alg":"none",{header[1:]}', claims))
    refused(api, forge.raw(header, f"[{claims}]"))
    refused(api, forge.raw(header, claims + "x"))
    for depth in (500, 900, 980):
        deep = '{"a":' * depth + "1" + "}" * depth
        refused(api, forge.raw(header, deep))
        refused(api, forge.raw(deep, claims[:20]))


def test_what_is_too_large_is_not_read(api: World, forge: Forge) -> None:
    refused(api, forge.token(padding="x" * 8192))
    assert shown(api, forge.token(padding="x" * 3000)).status == 200


def test_large_metadata_do_not_lock_anybody_out(api: World, forge: Forge) -> None:
    person = forge.people.somebody(user_metadata={"bio": "🦉" * 4000, "n": 10**30, "f": 1e300})
    issued = forge.people.signs_in(person)
    answer = shown(api, issued.access_token)
    assert answer.status == 200
    assert answer.json["user_metadata"]["bio"] == "🦉" * 4000
    claims = jwt.decode(issued.access_token, options={"verify_signature": False})
    assert claims["user_metadata"] == {} and claims["app_metadata"]["provider"] == "email"
    loaded = forge.people.somebody(app_metadata={"roles": ["x" * 100] * 200})
    assert shown(api, forge.people.signs_in(loaded).access_token).json["app_metadata"]["roles"][199]


def test_another_library_agrees(api: World, forge: Forge) -> None:
    key = ECKey.import_key(forge.jwk)
    decoded = other_jwt.decode(forge.issued.access_token, key, algorithms=["ES256"])
    assert decoded.claims == forge.claims
    numbers = forge.signer.private.private_numbers()
    private = ECKey.import_key(
        {**forge.jwk, "key_ops": ["sign"], "d": b64(numbers.private_value.to_bytes(32, "big"))}
    )
    made = other_jwt.encode(forge.header, forge.claims, private, algorithms=["ES256"])
    assert shown(api, made).status == 200


@pytest.fixture(scope="module")
def legacy(suite_servers: dict[str, str]) -> Iterator[World]:
    with World(**suite_servers, **ENVIRONMENT, JWT_SECRET=LEGACY, OGEL_AUTH_SIGNING="EdDSA") as world:
        yield world


def of_supabase(claims: Json, secret: str = LEGACY, algorithm: str = "HS256", **header: Any) -> str:
    return jwt.encode(claims, secret, algorithm, headers=header)


def test_keys_of_a_supabase_project_act_as_such(legacy: World, api: World) -> None:
    soon = int(time.time()) + 3600
    service, anon = (
        of_supabase({"iss": "supabase", "role": role, "exp": soon}) for role in ("service_role", "anon")
    )
    me = legacy("GET", "/api/me", key=service).json
    assert (me["kind"], me["id"], me["scopes"]) == ("key", "service_role", ["accounts:*", "storage:*"])
    assert legacy("GET", "/api/me", key=anon).json["scopes"] == []
    assert legacy("GET", "/api/events", key=service).status == 403
    # Nobody has signed in with them, and in `apikey` they are good.
    for token in (service, anon):
        refused_as_user = legacy("GET", "/auth/v1/user", key=token)
        assert (refused_as_user.status, refused_as_user.json["error_code"]) == (403, "bad_jwt")
        assert legacy("GET", "/auth/v1/health", key="", headers={"apikey": token}).status == 200
        refused(api, token)  # without the secret they are nothing
    for wrong in (
        of_supabase({"role": "postgres", "exp": soon}),
        of_supabase({"role": "service_role"}),
        of_supabase({"role": "service_role", "exp": soon - 7200}),
        of_supabase({"role": "service_role", "exp": soon}, "another-secret-of-at-least-32-characters"),
        of_supabase({"role": "service_role", "exp": soon}, algorithm="HS384"),
        of_supabase({"role": ["service_role"], "exp": soon}),
    ):
        refused(legacy, wrong)


def test_tokens_of_people_under_the_legacy_secret(legacy: World) -> None:
    people = People(legacy)
    issued = people.signs_in(people.somebody())
    header = jwt.get_unverified_header(issued.access_token)
    claims = jwt.decode(issued.access_token, options={"verify_signature": False}) | {"iss": "elsewhere"}
    assert shown(legacy, of_supabase(claims)).status == 200
    assert shown(legacy, of_supabase(claims, kid="of-theirs")).status == 200
    refused(legacy, of_supabase(claims, kid=header["kid"]))
    refused(legacy, of_supabase(claims | {"aud": "other"}))
    for name in ("exp", "aud", "session_id"):
        refused(legacy, of_supabase({key: value for key, value in claims.items() if key != name}))
    nobody = shown(legacy, of_supabase(claims | {"sub": "not-a-uuid"}))
    assert (nobody.status, nobody.json["error_code"]) == (400, "bad_jwt")


def test_eddsa_is_signed_and_verified_alike(suite_servers: dict[str, str], legacy: World, api: World) -> None:
    people = People(legacy)
    before = people.signs_in(people.somebody())
    people.within(lambda tx: tx.execute(b"UPDATE signing_keys SET state = 'previous', retired_at = now()"))
    people.accounts.signing_keys.forget()
    try:
        issued = people.signs_in(people.somebody())
        header = jwt.get_unverified_header(issued.access_token)
        assert header["alg"] == "EdDSA"
        jwks = legacy("GET", "/auth/v1/.well-known/jwks.json", key="").json["keys"]
        assert [key["alg"] for key in jwks] == ["EdDSA", "ES256"]
        warnings.simplefilter("ignore")  # of the name, for which RFC 9864 has another that few know
        decoded = other_jwt.decode(issued.access_token, OKPKey.import_key(jwks[0]), algorithms=["EdDSA"])
        assert decoded.claims["sub"] == str(issued.user.id)
        assert [shown(legacy, each.access_token).status for each in (before, issued)] == [200, 200]
        known = legacy("GET", "/auth/v1/.well-known/openid-configuration", key="").json
        assert (known["issuer"], known["id_token_signing_alg_values_supported"]) == (
            ISSUER,
            ["ES256", "EdDSA"],
        )
    finally:
        for algorithm, state in ((b"EdDSA", b"revoked"), (b"ES256", b"current")):
            query = b"UPDATE signing_keys SET state = '%b' WHERE algorithm = '%b'" % (state, algorithm)
            people.within(partial(_execute, query))


def test_what_was_verified_before_is_looked_at_again(api: World, forge: Forge) -> None:
    """For its time and its key."""
    tokens = forge.people.accounts.tokens
    short = forge.token(exp=int(time.time()) - 28)
    assert shown(api, short).status == 200
    time.sleep(2.1)
    refused(api, short)
    for number in range(50):
        forge.people.run(tokens.verify(forge.token(padding=f"{number}" + "x" * 5000)))
    assert tokens._remembered_bytes == sum(each.size for each in tokens._remembered.values())
