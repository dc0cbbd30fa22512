"""What is kept of a person: the claims of OpenID Connect in the names that clients of Supabase Auth read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from ogel.kernel.text import storable
from ogel.runtime.identity_provider import Person
from ogel.runtime.mail.address import InvalidAddress, parse_address

_MAX_CHARACTERS = 2048
_LARGEST_NUMBER = 2**53 - 1
# All of this comes with every access token.
_MAX_CUSTOM_BYTES = 2048
# Of the token, not of the person, or said elsewhere.
_NOT_CUSTOM = frozenset(
    {
        *("iss", "sub", "aud", "exp", "iat", "nbf", "jti", "typ", "azp", "nonce", "auth_time", "acr", "amr"),
        *("at_hash", "c_hash", "s_hash", "sid", "session_state"),
        *("name", "email", "email_verified", "picture", "phone_number", "phone_number_verified"),
    }
)


def address_of(text: object) -> str | None:
    """Returns a mail address in lower case; None when it is none that could be written to."""
    try:
        return parse_address(text).key if isinstance(text, str) else None
    except InvalidAddress:
        return None


def person_of(issuer: str, said: Mapping[str, Any]) -> Person:
    """Returns whom claims of an ID token or of userinfo are about; `sub` has been checked."""
    email = address_of(said.get("email"))
    said_verified = said.get("email_verified")
    # Some say it in words.
    verified = email is not None and (said_verified is True or said_verified == "true")
    custom = _custom({name: value for name, value in said.items() if name not in _NOT_CUSTOM})
    claims = {
        **named(issuer, said["sub"], said.get("name"), said.get("picture")),
        "custom_claims": custom,
        "email_verified": verified,
    }
    if email is not None:
        claims["email"] = email
    return Person(said["sub"], email, frozenset([email] if verified and email else ()), claims)


def named(issuer: str, id: str, name: object, picture: object) -> dict[str, Any]:
    """Returns what is kept of everybody; a name or picture that is none is left out."""
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": id,
        "provider_id": id,
        "phone_verified": False,
    }
    if isinstance(name, str) and name:
        claims |= {"name": shortened(name), "full_name": shortened(name)}
    if isinstance(picture, str) and picture:
        claims |= {"picture": shortened(picture), "avatar_url": shortened(picture)}
    return claims


def shortened(text: str) -> str:
    return storable(text)[:_MAX_CHARACTERS]


def _custom(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns what else was said; nothing, when it is too much."""
    kept = {storable(name): _kept(value) for name, value in said.items()}
    return kept if len(msgspec.json.encode(kept)) <= _MAX_CUSTOM_BYTES else {}


def _kept(value: Any) -> Any:
    """Replaces what the database or a client's JSON cannot hold."""
    match value:
        case str():
            return storable(value)
        case dict():
            return {storable(name): _kept(each) for name, each in value.items()}
        case list():
            return [_kept(each) for each in value]
        case float() if not math.isfinite(value):
            return None
        case int() if abs(value) > _LARGEST_NUMBER:
            return str(value)
    return value
