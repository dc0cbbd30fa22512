"""
Where Ogel answers otherwise than the recorded server, and why. A difference says what comes instead, so that one which
no longer is one fails the test of its file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.golden.gotrue.expectation import ALL, GONE, Difference, Instead, Refused, is_newer
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
        (
            {"headers": {"Retry-After": "<any>"}} if status == 429 else {},
            "By it, programs know when to come again.",
        ),
        (
            {"decoded": {"*": tokens}} if line.answer["decoded"] else {},
            "Each token has an id, and keys are called by their thumbprints (RFC 7638). A secret only verifies.",
        ),
    ]


# By GET; so they are not there for HEAD.
_CHANGE_SOMETHING = ("/verify", "/reauthenticate", "/authorize", "/callback")


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
ONLY_S256 = (
    "A challenge that is the verifier itself protects nothing (RFC 9700 2.1.1); S256 is what clients send."
)
_ONE_OF_SIX: Json = {
    "statuses": Instead([200, 403, 403, 403, 403, 403]),
    "error_codes": Instead(["otp_expired"]),
    "distinct_refresh_tokens": 1,
    "distinct_access_tokens": 1,
}

DIFFERENCES: Mapping[str, Sequence[Difference]] = {
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
        Difference(
            "otp autoconfirm, verify",
            {"body": {"user": {"identities": {"*": {"identity_data": {"email_verified": True}}}}}},
            "The code has shown that the address is theirs.",
        ),
    ],
    "oauth_server.jsonl": [
        Difference(
            ALL, NOTHING_THERE, "Ogel signs people in to its own apps; it is no identity provider of others."
        ),
    ],
}

# Files whose routes are still being written, and by whom.
PENDING: Mapping[str, str] = {
    "admin_audit.jsonl": "factors",
    "admin_custom_providers.jsonl": "oauth",
    "admin_users.jsonl": "factors",
    "anonymous.jsonl": "users",
    "authorize_oauth_pkce.jsonl": "oauth",
    "client_auth_js.jsonl": "all",
    "client_supabase_auth_py.jsonl": "all",
    "cors.jsonl": "gateway",
    "errors.jsonl": "sessions",
    "identities.jsonl": "factors, oauth",
    "logout.jsonl": "sessions",
    "mfa_totp.jsonl": "factors",
    "rate_limit.jsonl": "codes, users",
    "reauthenticate.jsonl": "codes",
    "recover.jsonl": "codes",
    "refresh.jsonl": "sessions",
    "resend.jsonl": "codes",
    "settings_health_jwks.jsonl": "users, sessions",
    "signup.jsonl": "users",
    "token_id_token.jsonl": "oauth",
    "token_password.jsonl": "users",
    "user_update.jsonl": "users",
    "verify.jsonl": "codes",
}
