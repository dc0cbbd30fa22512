"""
Where Ogel answers otherwise than the recorded server, and why. A difference says what comes instead, so that one which
no longer is one fails the test of its file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.golden.gotrue.expectation import ALL, Difference
from tests.golden.gotrue.transcript import Json, Line

# Tokens of other formats than the recorded ones.
FORMATS: Mapping[str, str] = {}


def everywhere(line: Line) -> Sequence[Difference]:
    """What is so in every answer."""
    headers: Json = {}
    if line.answer["status"] == 401:
        headers["WWW-Authenticate"] = "<any>"
    if line.answer["status"] == 429:
        headers["Retry-After"] = "<any>"
    found = [
        Difference(
            ALL,
            {"headers": headers},
            "RFC 9110 asks for the first; clients need the second to know when to come again.",
        )
    ]
    if line.answer["decoded"]:
        found.append(
            Difference(ALL, {"decoded": {"*": {"claims": {"jti": "<uuid>"}}}}, "Each token has an id.")
        )
    if line.answer["decoded"] and line.profile != "hs256":
        found.append(
            Difference(
                ALL,
                {"decoded": {"*": {"header": {"kid": "<b64url>"}}}},
                "Keys are called by their thumbprints (RFC 7638).",
            )
        )
    return found


DIFFERENCES: Mapping[str, Sequence[Difference]] = {}

# Files whose routes are still being written, and by whom.
PENDING: Mapping[str, str] = {
    "admin_audit.jsonl": "factors",
    "admin_custom_providers.jsonl": "oauth",
    "admin_generate_link.jsonl": "codes",
    "admin_users.jsonl": "factors",
    "anonymous.jsonl": "users",
    "authorize_oauth_pkce.jsonl": "oauth",
    "client_auth_js.jsonl": "all",
    "client_supabase_auth_py.jsonl": "all",
    "cors.jsonl": "gateway",
    "errors.jsonl": "sessions",
    "identities.jsonl": "factors, oauth",
    "invite.jsonl": "codes",
    "logout.jsonl": "sessions",
    "mfa_totp.jsonl": "factors",
    "oauth_server.jsonl": "golden",
    "otp_magiclink.jsonl": "codes",
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
