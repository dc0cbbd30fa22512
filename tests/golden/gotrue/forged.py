"""Tokens that were made wrong, as their placeholders say, from a right one."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from tests.golden.gotrue.profiles import LEGACY_SECRET
from tests.golden.gotrue.replay import Replay

Claims = Mapping[str, Any]
_GONE = object()


def forge(replay: Replay) -> None:
    """Of the session that `access1` is of."""
    token = replay.labels.value("<jwt:access1>")
    assert token is not None
    claims = jwt.decode(token, options={"verify_signature": False})
    kid = jwt.get_unverified_header(token)["kid"]
    for name, make in _tokens(kid).items():
        replay.labels.bind(f"<{name}>", make(claims))


def admin_token(role: str, secret: str = LEGACY_SECRET) -> str:
    """As Supabase makes its keys: of a role, for ten years, about nobody."""
    now = int(time.time())
    claims = {"role": role, "iss": "supabase", "iat": now, "exp": now + 315_360_000}
    return jwt.encode(claims, secret, "HS256")


def forge_admins(replay: Replay) -> None:
    replay.labels.bind("<jwt:supabase_admin>", admin_token("supabase_admin"))
    replay.labels.bind("<service_role_wrong_key>", admin_token("service_role", "another-secret-" * 3))


def _tokens(kid: str) -> Mapping[str, Callable[[Claims], str]]:
    another = ec.generate_private_key(ec.SECP256R1())
    return {
        "jwt_alg_none": _unsigned,
        "jwt_wrong_secret": lambda claims: jwt.encode(dict(claims), "another-secret-" * 3, "HS256"),
        "jwt_expired": _shared(exp=int(time.time()) - 60),
        "jwt_wrong_es_key": lambda claims: jwt.encode(dict(claims), another, "ES256", {"kid": kid}),
        "jwt_unknown_kid": lambda claims: jwt.encode(dict(claims), another, "ES256", {"kid": "zzz"}),
        "jwt_hs256_legacy": _shared(),
        "jwt_hs256_kid": _shared("HS256", "hs256-key-1"),
        "jwt_hs256_es_kid": _shared("HS256", kid),
        "jwt_hs384": _shared("HS384"),
        "jwt_bad_sub": _shared(sub="zzz"),
        "jwt_no_sub": _shared(sub=_GONE),
        "jwt_unknown_sub": _shared(sub=str(uuid.uuid4())),
        "jwt_unknown_session": _shared(session_id=str(uuid.uuid4())),
        "jwt_no_session": _shared(session_id=_GONE),
        "jwt_bad_session": _shared(session_id="zzz"),
        "jwt_aud": _shared(aud="other"),
        "jwt_no_exp": _shared(exp=_GONE),
        "jwt_nbf": _shared(nbf=int(time.time()) + 3600),
        "jwt_iss": _shared(iss="http://elsewhere.example.com"),
    }


def _shared(algorithm: str = "HS256", kid: str | None = None, **changes: object) -> Callable[[Claims], str]:
    def make(claims: Claims) -> str:
        changed = {name: value for name, value in {**claims, **changes}.items() if value is not _GONE}
        return jwt.encode(changed, LEGACY_SECRET, algorithm, {"kid": kid} if kid else None)

    return make


def _unsigned(claims: Claims) -> str:
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    return (
        ".".join(base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=").decode() for each in parts)
        + "."
    )
