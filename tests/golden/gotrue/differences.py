"""
Where Ogel answers otherwise than the recorded server, and why. A difference says what comes instead, so that one which
no longer is one fails the test of its file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.golden.expectation import ALL, GONE, Difference, Instead
from tests.golden.gotrue.client_differences import CLIENTS
from tests.golden.gotrue.cors_differences import CORS
from tests.golden.gotrue.oauth_differences import OAUTH
from tests.golden.gotrue.operator_differences import OPERATORS
from tests.golden.gotrue.refused import Refused, is_newer
from tests.golden.gotrue.transcript import Json, Line

# Tokens of other formats than the recorded ones.
FORMATS: Mapping[str, str] = {}

NOTHING_THERE = Refused(404, "validation_failed", "There is nothing at this path.")


def everywhere(line: Line) -> Sequence[Difference]:
    """What is so in every answer."""
    return [Difference(ALL, ours, why) for ours, why in _everywhere(line) if ours]


def _everywhere(line: Line) -> Sequence[tuple[Json | Refused, str]]:
    status, body = line.answer["status"], line.answer.get("body")
    tokens: Json = {"claims": {"jti": "<uuid>"}, "header": {"kid": "<b64url>"}}
    if line.profile == "hs256":
        tokens["header"]["alg"] = "ES256"
        tokens["claims"]["iss"] = "http://auth.example.com/auth/v1"
    return [
        (NOTHING_THERE if body == "404 page not found\n" else {}, "Errors are all told in one way."),
        (_not_allowed(line) if status == 405 else {}, "Errors are all told in one way."),
        (
            {"headers": {"Content-Type": GONE}, "body": Instead(None)} if body == "<html>" else {},
            "Nobody reads the page of a redirect.",
        ),
        (_verified(line), VERIFIED_IS_VERIFIED),
        (
            {"headers": {"Retry-After": "<any>"}} if status == 429 else {},
            "By it, programs know when to come again.",
        ),
        (
            {"decoded": {"*": tokens}} if line.answer["decoded"] else {},
            "Each token has an id, and keys are called by their thumbprints (RFC 7638). A secret only verifies.",
        ),
    ]


def _verified(line: Line) -> Json:
    """Where addresses are believed, only the answer to the sign-up itself said so of the identity."""
    body = line.answer.get("body")
    if line.profile not in ("autoconfirm", "currentpw", "hs256", "rt2", "strict") or not isinstance(
        body, dict
    ):
        return {}
    where = ("body", "user") if "user" in body else ("body",)
    identities = body.get("user", body).get("identities") or []
    made_by_operator = body.get("user", body).get("email") == "old@example.com"  # whose belief is no proof
    if made_by_operator or all(each["identity_data"].get("email_verified") for each in identities):
        return {}
    return _identities_verified(*where)


# By GET; so they are not there for HEAD.
_CHANGE_SOMETHING = ("/verify", "/reauthenticate", "/callback")


def _not_allowed(line: Line) -> Json:
    recorded = line.answer["headers"]["Allow"]
    head = "GET" in recorded and not line.request["path"].startswith(_CHANGE_SOMETHING)
    allowed = {*recorded.split(", "), "OPTIONS", *(["HEAD"] if head else [])}
    headers = {"Content-Type": "application/json", "X-Sb-Error-Code": "<any>", "Allow": ", ".join(allowed)}
    body = {"code": 405, "error_code": "<any>", "msg": "<any>"}
    if is_newer(line):
        headers["X-Supabase-Api-Version"] = "2024-01-01"
        body = {"code": "<any>", "message": "<any>"}
    return {"headers": headers, "body": body if line.request["method"] != "HEAD" else None}


ACCEPTED: Json = {
    "status": 200,
    "headers": {"Content-Type": "application/json"},
    "body": {},
    "mails": [],
    "decoded": {},
}
NOBODY_IS_TOLD = "Whoever asks would learn which addresses have accounts."
CODES_ARE_GOOD_ONCE = "A code gives one session, however many ask with it at once."
BAD_CHALLENGE_METHOD = Refused(400, "validation_failed", "Invalid code_challenge_method")
NO_FAULT = "What a request did wrong is not a fault of the server."
ONLY_S256 = (
    "A challenge that is the verifier itself protects nothing (RFC 9700 2.1.1); S256 is what clients send."
)
_ONE_OF_SIX: Json = {
    "statuses": Instead([200, 403, 403, 403, 403, 403]),
    "error_codes": Instead(["otp_expired"]),
    "distinct_refresh_tokens": 1,
    "distinct_access_tokens": 1,
}

NO_WAY_IN = "Who is banned is sent no way in."
SMALLER = "Bodies here are small; what is larger is no request of a client."
_TOO_LARGE = "The body is larger than 131072 bytes."
NOT_OFFERED = "Ogel does not offer it."
VERIFIED_IS_VERIFIED = "What is known of an address, its identity says as well."


def _identities_verified(*where: str) -> Json:
    changed: Json = {"identities": {"*": {"identity_data": {"email_verified": True}}}}
    for name in reversed(where):
        changed = {name: changed}
    return changed


def _accepted() -> Json:
    """In place of an error: what other lines look at."""
    headers = {"X-Sb-Error-Code": GONE, "X-Supabase-Api-Version": GONE}
    return {"status": 200, "headers": headers, "body": Instead("<any>"), "mails": Instead("<any>")}


NOTHING_TO_GUESS = "Nobody guesses a token of 128 bits: these are counted like other requests."
_NO_SAML: Json = {"body": {"saml_private_key_next_configured": False}}
_PUBLISHED: Json = {
    "alg": "ES256",
    "crv": "P-256",
    "key_ops": ["verify"],
    "kid": "<b64url>",
    "kty": "EC",
    "use": "sig",
    "x": "<b64url>",
    "y": "<b64url>",
}
_AUTH = "http://auth.example.com/auth/v1"
_CONFIGURATION: Json = {
    "issuer": _AUTH,
    "authorization_endpoint": f"{_AUTH}/authorize",
    "token_endpoint": f"{_AUTH}/token",
    "jwks_uri": f"{_AUTH}/.well-known/jwks.json",
    "userinfo_endpoint": f"{_AUTH}/user",
    "scopes_supported": ["openid", "profile", "email", "phone"],
    "response_types_supported": ["code"],
    "response_modes_supported": ["query"],
    "grant_types_supported": ["password", "refresh_token", "pkce", "id_token"],
    "subject_types_supported": ["public"],
    "token_endpoint_auth_methods_supported": ["none"],
    "id_token_signing_alg_values_supported": ["ES256"],
    "claims_supported": "<any>",
    "code_challenge_methods_supported": ["S256"],
}

DIFFERENCES: Mapping[str, Sequence[Difference]] = {
    **CLIENTS,
    **CORS,
    **OAUTH,
    **OPERATORS,
    "admin_custom_providers.jsonl": [
        Difference(
            [
                "list, empty",
                "create with a loopback URL",
                "create oauth2",
                "create without identifier",
                "create without prefix",
                "create duplicate",
                "get",
                "get unknown",
                "list",
                "list by type",
                "update",
                "enable",
                "delete",
                "delete again",
                "without admin rights",
                "while disabled",
            ],
            NOTHING_THERE,
            "Other sites are set by OGEL_AUTH_OIDC, where their secrets are; nobody who got hold of a key adds one.",
        ),
        Difference(
            "authorize a disabled custom provider",
            {"body": {"msg": "Unsupported provider: Provider custom:acme could not be found"}},
            NOT_OFFERED,
        ),
        Difference(
            "authorize an unknown custom provider",
            {"body": {"msg": "Unsupported provider: Provider custom:zzz could not be found"}},
            NOT_OFFERED,
        ),
        Difference(
            "authorize the custom provider",
            Refused(
                400, "validation_failed", "Unsupported provider: Provider custom:acme could not be found"
            ),
            NOT_OFFERED,
        ),
    ],
    "admin_generate_link.jsonl": [
        Difference(
            "verify email_change_new",
            {"status": 200, "headers": {"X-Sb-Error-Code": GONE}, "body": Instead("<any>")},
            "The recorded server gave out a link that never worked; ours is the one that a mail would have had.",
        ),
        Difference(
            "email_change_new without new_email",
            Refused(400, "validation_failed", "An email address is required"),
            "The address has changed to this one, by the link before, so that there is such a user.",
        ),
        Difference(
            "redirect_to in the query",
            {"body": Instead("<any>")},
            "There is such a user, who signs in in place of being made.",
        ),
    ],
    "anonymous.jsonl": [Difference("link an email that is taken", _accepted(), NOBODY_IS_TOLD)],
    "refresh.jsonl": [
        Difference(
            [
                "the active token of the revoked family",
                "fourth family: the active token an interval after the revocation",
                "reuse after the interval, api version",
                "third generation: the token of before that reuse",
                "third generation: the token of that reuse",
                "interval 0: refresh again",
                "interval 0: reuse of the grandparent",
                "interval 0: active token after the reuse",
            ],
            Refused(400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found"),
            "A token that comes again is in two hands: its session has ended, with all its tokens.",
        ),
        Difference(
            "strict: refresh of the older session",
            Refused(400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found"),
            "The oldest session ends when there is one too many, and not only when it is refreshed.",
        ),
        Difference(
            "strict: GET user after the time box",
            Refused(403, "session_expired", "Session has expired"),
            "Access tokens end with their session.",
        ),
        Difference(
            "access token of the revoked family still works",
            Refused(403, "session_not_found", "Session from session_id claim in JWT does not exist"),
            "Access tokens end with their session.",
        ),
        Difference(
            [
                "third generation: reuse of the grandparent within the interval",
                "second session: parent of the active token after the interval",
                "interval 0: reuse of the parent",
                "v2: new session, parent of the active token after the interval",
            ],
            Refused(400, "refresh_token_already_used", "Invalid Refresh Token: Already Used"),
            "Only the token before the current one is forgiven, and only for a moment: a thief's would be for ever.",
        ),
    ],
    "errors.jsonl": [
        Difference(
            ["trailing slash", "trailing slash, api version"],
            NOTHING_THERE,
            "A thing has one path; no client asks so.",
        ),
        Difference("body larger than 1 MiB", {"body": {"msg": _TOO_LARGE}}, SMALLER),
        Difference("body larger than 1 MiB, api version", {"body": {"message": _TOO_LARGE}}, SMALLER),
        Difference(
            ["session_id missing", "aud other", "exp missing"],
            Refused(403, "bad_jwt"),
            "Tokens without an end, for others, or of no session that could be ended, are not taken.",
        ),
        Difference("two spaces after Bearer", _accepted(), "RFC 9110 11.4 allows them."),
        Difference(
            "token in the apikey header only",
            _accepted(),
            "Where a credential stands does not matter, if it is good.",
        ),
        Difference("X-JWT-AUD other audience", _accepted(), "There is one audience."),
        Difference(
            "invalid utf-8 body", Refused(400, "bad_json"), "What is no UTF-8 is no JSON (RFC 8259 8.1)."
        ),
        Difference(
            "NUL in email", Refused(400, "invalid_credentials", "Invalid login credentials"), NO_FAULT
        ),
        Difference(
            "web3 grant while disabled",
            Refused(400, "invalid_credentials", "unsupported_grant_type"),
            NOT_OFFERED,
        ),
        Difference(
            [
                "sso while saml is disabled",
                "passkeys while disabled",
                "saml metadata while disabled",
                "admin sso providers, empty list",
            ],
            NOTHING_THERE,
            NOT_OFFERED,
        ),
    ],
    "token_password.jsonl": [
        Difference(
            "banned user, wrong password",
            Refused(400, "invalid_credentials", "Invalid login credentials"),
            "Only who has the password learns that the account is banned.",
        ),
        Difference(["banned user, recover", "banned user, otp"], {"mails": []}, NO_WAY_IN),
        Difference(
            "banned user, verify recovery",
            Refused(403, "otp_expired", "Token has expired or is invalid"),
            NO_WAY_IN,
        ),
    ],
    "rate_limit.jsonl": [
        Difference(
            [
                "anonymous sign-in over the limit",
                "anonymous sign-in over the limit, api version",
                "token burst (password)",
                "verify burst",
                "signup burst",
                "verify by GET over the limit",
            ],
            Refused(429, "over_request_rate_limit"),
            "The text says when to come again.",
        ),
        Difference(
            "token burst (refresh_token)",
            Refused(400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found"),
            NOTHING_TO_GUESS,
        ),
        Difference(
            "token burst (pkce)",
            Refused(404, "flow_state_not_found", "invalid flow state, no valid flow state found"),
            NOTHING_TO_GUESS,
        ),
        Difference(
            "recover burst",
            Refused(429, "over_email_send_rate_limit"),
            "Three mails have been sent in this hour, which is asked first.",
        ),
        Difference("settings burst", _NO_SAML, NOT_OFFERED),
    ],
    "settings_health_jwks.jsonl": [
        Difference(
            [
                "settings, confirm",
                "settings, autoconfirm",
                "settings, hs256",
                "settings, closed",
                "settings with apikey",
            ],
            _NO_SAML,
            NOT_OFFERED,
        ),
        Difference("health", {"body": {"version": "v2.196.0"}}, "The version that Ogel speaks like."),
        Difference(
            ["jwks, ES256 and HS256 keys", "jwks, only a secret"],
            {"body": {"keys": Instead([_PUBLISHED])}},
            "Ogel makes its keys, and a secret only verifies.",
        ),
        Difference(
            "jwks HEAD",
            {
                "status": 200,
                "headers": {"Allow": GONE, "X-Sb-Error-Code": GONE, "Content-Type": "application/json"},
            },
            "What answers GET answers HEAD (RFC 9110 9.3.2).",
        ),
        Difference(
            ["openid-configuration", "openid-configuration, OAuth server on"],
            {"body": Instead(_CONFIGURATION)},
            "It says what there is: no identity provider of others, and no challenges in clear.",
        ),
        Difference("oauth-authorization-server, OAuth server off", NOTHING_THERE, NOT_OFFERED),
        Difference("oauth-authorization-server, OAuth server on", NOTHING_THERE, NOT_OFFERED),
    ],
    "recover.jsonl": [
        Difference("recover bad pkce", BAD_CHALLENGE_METHOD, NO_FAULT),
        Difference(
            "verify recovery of an unconfirmed user",
            _identities_verified("body", "user"),
            VERIFIED_IS_VERIFIED,
        ),
    ],
    "user_update.jsonl": [
        Difference(
            ["email of another user", "email of another user, api version"], _accepted(), NOBODY_IS_TOLD
        ),
        Difference(
            "phone while phone is disabled",
            Refused(422, "phone_provider_disabled", "Phone numbers are not supported"),
            NO_FAULT,
        ),
    ],
    "signup.jsonl": [
        Difference(
            "signup while SMTP refuses the mail",
            _accepted(),
            "Mail is queued, and tried again for a day; who signs up need not wait for it, or try again.",
        ),
        Difference(
            "signup again while unconfirmed",
            {
                "body": {
                    "id": "<uuid:again>",
                    "user_metadata": {"sub": "<uuid:again>", "n": GONE, "name": GONE},
                    "identities": {
                        "*": {
                            "identity_id": "<uuid>",
                            "id": "<uuid:again>",
                            "user_id": "<uuid:again>",
                            "identity_data": {"sub": "<uuid:again>", "n": GONE, "name": GONE},
                        }
                    },
                }
            },
            NOBODY_IS_TOLD,
        ),
        Difference(
            "sign in before confirmation",
            Refused(400, "invalid_credentials", "Invalid login credentials"),
            "Two signed up with different passwords, and nobody has shown whose the address is: neither is good.",
        ),
        Difference(
            [
                "signup of an existing confirmed user",
                "signup of an existing confirmed user, other password",
            ],
            {
                "body": {
                    "role": "authenticated",
                    "user_metadata": {
                        "sub": "<uuid>",
                        "email": "ada@example.com",
                        "email_verified": False,
                        "phone_verified": False,
                    },
                    "identities": Instead("<any>"),
                }
            },
            NOBODY_IS_TOLD,
        ),
        Difference(
            ["signup short password, api version", "signup missing characters (strict), api version"],
            {"headers": {"X-Sb-Error-Code": "weak_password"}},
            "Every error has its code in this header.",
        ),
        Difference(
            "signup password of 73 bytes",
            _accepted(),
            "Nothing is cut off at 72 bytes by Argon2.",
        ),
        Difference("signup bad pkce method", BAD_CHALLENGE_METHOD, NO_FAULT),
        Difference(
            "signup pkce challenge too short",
            {
                "body": {
                    "msg": "code challenge takes 43 to 128 letters, digits, hyphens, periods, underscores and tildes"
                }
            },
            "It says what it takes.",
        ),
        Difference(
            "6 parallel sign-ups of one address",
            {
                "statuses": Instead([200, 422, 422, 422, 422, 422]),
                "error_codes": Instead(["user_already_exists"]),
            },
            NO_FAULT,
        ),
    ],
    "otp_magiclink.jsonl": [
        Difference("6 parallel verifications of one otp", _ONE_OF_SIX, CODES_ARE_GOOD_ONCE),
        Difference(
            [
                "otp unknown user, create_user false",
                "otp unknown user, create_user false, api version",
                "otp signups disabled, unknown user",
                "magiclink signups disabled, unknown user",
            ],
            Instead(ACCEPTED),
            NOBODY_IS_TOLD,
        ),
        Difference(
            "otp with pkce, plain",
            Refused(400, "validation_failed", "Invalid code_challenge_method"),
            ONLY_S256,
        ),
        Difference(
            "verify pkce token_hash by POST",
            Refused(403, "otp_expired", "Email link is invalid or has expired"),
            "No mail was sent by the line before.",
        ),
    ],
    "oauth_server.jsonl": [
        Difference(
            ALL, NOTHING_THERE, "Ogel signs people in to its own apps; it is no identity provider of others."
        ),
    ],
}
